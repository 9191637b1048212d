_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100_lt_if100.py',
    '../_base_/schedules/oltr_bs128_60e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/oltr.py',
]

model = dict(
    neck=[
        dict(type='mmlt.ModulatedAttention', in_channels=64, size=8),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(type='mmlt.OLTRHead', num_classes=100),
)
train_dataloader = dict(sampler=_base_.class_aware)
load_from = 'work_dirs/ce_resnet32_200e_cifar100-lt-if100/epoch_200.pth'
