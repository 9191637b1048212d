_base_ = [
    './ce_resnet32-features_30e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=_base_.ldam_head)
# Where the learning rate falls for the second time.
default_hooks = dict(reweight=dict(_base_.drw, begin=20))
