# ResNeXt-101 from ImageNet, for detectors that have a ResNet-50.
resnext101 = dict(
    type='ResNeXt',
    depth=101,
    groups=64,
    base_width=4,
    init_cfg=dict(checkpoint='open-mmlab://resnext101_64x4d'),
)
