_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/inaturalist2018.py',
    '../_base_/schedules/inaturalist_bs128_90e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(head=dict(num_classes=8142))
