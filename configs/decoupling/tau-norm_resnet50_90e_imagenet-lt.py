_base_ = [
    '../baselines/ce_resnet50_90e_imagenet-lt.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.tau_norm)
