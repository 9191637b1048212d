_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar100_lt_if100.py',
    '../_base_/schedules/class-means_1e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]

model = dict(head=dict(type='mmlt.NCMHead', num_classes=100))
train_dataloader = dict(
    sampler=_base_.each_once,
    dataset=dict(dataset=dict(pipeline=_base_.test_pipeline)),
)
load_from = 'work_dirs/ce_resnet32_200e_cifar100-lt-if100/epoch_200.pth'
