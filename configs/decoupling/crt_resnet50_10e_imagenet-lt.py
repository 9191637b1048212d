_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/second-stage_bs512_10e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]

# An epoch gives each class as many images as the largest one has.
train_dataloader = dict(sampler=dict(**_base_.class_aware, reduce=1))
default_hooks = dict(trainable_parts=_base_.crt)
load_from = 'work_dirs/ce_resnet50_90e_imagenet-lt/epoch_90.pth'
