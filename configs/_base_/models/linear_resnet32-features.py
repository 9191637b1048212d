# A linear classifier on features of ResNet-32 that were computed before.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.ImageFeatures', in_channels=64),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=None,  # As in resnet32_cifar.py.
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
