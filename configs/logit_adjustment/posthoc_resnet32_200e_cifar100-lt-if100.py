_base_ = '../baselines/ce_resnet32_200e_cifar100-lt-if100.py'

default_hooks = dict(
    classifier_edit=dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.LogitAdjustment', tau=1.0)],
    )
)
