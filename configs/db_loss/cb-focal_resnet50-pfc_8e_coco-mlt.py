_base_ = './erm_resnet50-pfc_8e_coco-mlt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.ClassBalancedFocalLoss',
            loss_weight=1 / 80,
        )
    )
)
