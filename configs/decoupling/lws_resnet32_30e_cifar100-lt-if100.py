_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100_lt_if100.py',
    '../_base_/schedules/second-stage_bs128_30e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]

model = dict(head=dict(type='mmlt.LWSHead', num_classes=100))
train_dataloader = dict(sampler=_base_.class_aware)
default_hooks = dict(trainable_parts=_base_.lws)
load_from = 'work_dirs/ce_resnet32_200e_cifar100-lt-if100/epoch_200.pth'
