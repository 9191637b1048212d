_base_ = './pfc_lite0-features.py'

model = dict(
    head=dict(
        _delete_=True,
        type='LinearClsHead',
        num_classes=101,
        in_channels=256,
        init_cfg=None,
        loss=dict(type='CrossEntropyLoss'),
    )
)
