_base_ = [
    './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=_base_.ldam_head)
# In the last fifth of the epochs, as on images.
default_hooks = dict(reweight=dict(_base_.drw, begin=8))
