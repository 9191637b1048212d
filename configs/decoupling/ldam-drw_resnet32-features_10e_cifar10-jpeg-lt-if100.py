_base_ = [
    './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=_base_.ldam_head)
# Later the learning rate of the cosine is too low to learn with them.
default_hooks = dict(reweight=dict(_base_.drw, begin=5))
