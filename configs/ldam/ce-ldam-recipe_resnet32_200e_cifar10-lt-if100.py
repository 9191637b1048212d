_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10_lt_if100.py',
    '../_base_/schedules/cifar-ldam_bs128_200e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/deferred.py',
]
