# A neck and a linear classifier on features of EfficientNet-Lite0.
model = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.ImageFeatures', in_channels=1280),
    neck=dict(type='mmlt.PFC', in_channels=1280),
    head=dict(
        type='MultiLabelLinearClsHead',
        num_classes=60,
        in_channels=256,
        # the sum over the classes; their mean would be too slow for 8 epochs
        loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
    ),
)
