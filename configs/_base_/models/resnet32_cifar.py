# The papers' ResNet-32 for CIFAR: option-A shortcuts, 0.46 M parameters.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.CIFARResNet', depth=32),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=64,
        init_cfg=None,  # PyTorch's, as in the papers' code.
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
    ),
)
