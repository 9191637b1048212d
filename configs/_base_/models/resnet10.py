# ResNet-10 from scratch, one basic block a stage.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.ResNet10'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=512,
        init_cfg=None,  # PyTorch's, as in the code of OLTR.
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
