# To test the first stage with.
_base_ = [
    './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.tau_norm)
