_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100_lt_if100.py',
    '../_base_/schedules/cifar-ldam_bs128_200e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=dict(num_classes=100))
