# Features learnt with cross entropy, classifier re-trained with it.
_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10_lt_if50.py',
    '../_base_/schedules/second-stage_bs128_30e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]

default_hooks = dict(trainable_parts=_base_.crt)
load_from = 'work_dirs/ce_resnet32_200e_cifar10-lt-if50/epoch_200.pth'
