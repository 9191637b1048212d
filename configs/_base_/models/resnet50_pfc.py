# ResNet-50 from ImageNet with the neck of the Distribution-Balanced loss. The
# data set gives `num_classes` and the scale of the loss.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(3,),
        style='pytorch',
        frozen_stages=1,
        norm_eval=True,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50'),
    ),
    # As published: no ReLU, and this initialisation.
    neck=dict(
        type='mmlt.PFC',
        in_channels=2048,
        relu=False,
        init_cfg=dict(type='Kaiming', layer='Linear'),
    ),
    head=dict(
        type='MultiLabelLinearClsHead',
        in_channels=256,
        loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
    ),
)
