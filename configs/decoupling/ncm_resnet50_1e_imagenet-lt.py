_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/class-means_1e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]

model = dict(head=dict(type='mmlt.NCMHead'))
train_dataloader = dict(
    sampler=_base_.each_once, dataset=dict(pipeline=_base_.test_pipeline)
)
load_from = 'work_dirs/ce_resnet50_90e_imagenet-lt/epoch_90.pth'
