_base_ = [
    '../baselines/ce_resnet14-small_4e_fashion-mnist-lt-if100.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.posthoc)
