_base_ = './erm_resnet50-pfc_8e_coco-mlt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.MultiLabelLDAMLoss',
            # 30 is for the logits of a normalised layer
            scale=1.0,
            loss_weight=1 / 80,
        )
    )
)
