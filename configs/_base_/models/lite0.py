# EfficientNet-Lite0; tools/model_converters/efficientnet_lite0.py writes its
# ImageNet weights.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.EfficientNetLite0'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1280,
        loss=dict(type='CrossEntropyLoss'),
    ),
)
