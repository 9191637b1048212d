_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/imagenet-lt_bs256_90e.py',
    '../_base_/runtimes/default_runtime.py',
]
