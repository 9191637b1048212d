_base_ = '../baselines/ce_resnet32_200e_cifar100-lt-if100.py'

custom_hooks = [
    dict(type='mmlt.ClassStatsHook'),
    dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.TauNorm', tau=1.0)],
    ),
]
