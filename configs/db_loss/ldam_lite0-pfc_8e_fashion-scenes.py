_base_ = './erm_lite0-pfc_8e_fashion-scenes.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.MultiLabelLDAMLoss',
            # 30 is for the logits of a normalised layer
            scale=1.0,
        )
    )
)
