_base_ = [
    '../baselines/ce_resnet32_200e_cifar100-lt-if100.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.tau_norm)
