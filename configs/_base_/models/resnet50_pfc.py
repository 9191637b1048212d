# ResNet-50 from ImageNet with the neck of the Distribution-Balanced loss.
model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(3,),
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    neck=dict(type='mmlt.PFC', in_channels=2048),
    head=dict(
        type='MultiLabelLinearClsHead',
        num_classes=80,
        in_channels=256,
        # the mean over images and classes, as published
        loss=dict(
            type='CrossEntropyLoss', use_sigmoid=True, loss_weight=1 / 80
        ),
    ),
)
