# The images, at 128 x 128 pixels, instead of maps: the whole network trains.
# Also the config that the maps are computed with.
_base_ = [
    '../_base_/models/lite0.py',
    '../_base_/datasets/fashion_scenes_multi_label.py',
    '../_base_/schedules/multi-label-features_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(
    head=dict(
        type='MultiLabelLinearClsHead',
        num_classes=60,
        loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
    )
)
small = dict(type='Resize', scale=128)
train_pipeline = [
    _base_.train_pipeline[0],
    small,
    *_base_.train_pipeline[2:],
]
test_pipeline = [_base_.test_pipeline[0], small, _base_.test_pipeline[2]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
load_from = 'work_dirs/lite0_imagenet.pth'
