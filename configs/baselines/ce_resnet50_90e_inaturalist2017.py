_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2017.py',
    '../_base_/schedules/inaturalist_bs128_90e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(head=dict(num_classes=5089))
