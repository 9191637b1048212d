_base_ = [
    '../baselines/ce_resnet20_40e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=_base_.ldam_head)
default_hooks = dict(reweight=dict(_base_.drw, begin=32))
