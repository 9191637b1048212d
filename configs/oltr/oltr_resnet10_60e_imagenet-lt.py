_base_ = [
    '../_base_/models/resnet10.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/oltr_bs128_60e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/oltr.py',
]

model = dict(
    neck=[
        dict(type='mmlt.ModulatedAttention', in_channels=512, size=7),
        dict(type='GlobalAveragePooling'),
    ],
    head=dict(type='mmlt.OLTRHead', num_classes=1000),
)
train_dataloader = dict(sampler=_base_.class_aware)
val_evaluator = dict(thresholds='oltr')
test_evaluator = val_evaluator
load_from = 'work_dirs/ce_resnet10_30e_imagenet-lt/epoch_30.pth'
