_base_ = '../baselines/ce_resnet14-small_4e_fashion-mnist-lt-if100.py'

default_hooks = dict(
    classifier_edit=dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.TauNorm', tau=1.0)],
    )
)
