# For a CPU: a small network, 128 pixels, forward passes in bfloat16.
_base_ = [
    '../_base_/models/lite0.py',
    '../_base_/datasets/folder.py',
    '../_base_/runtimes/keep_best_runtime.py',
    '../_base_/schedules/fine-tuning_bs32_10e.py',
]

model = dict(head=dict(num_classes=2))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=128),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=146, edge='short'),
    dict(type='CenterCrop', crop_size=128),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(type='mmlt.BFloat16OptimWrapper')
default_hooks = dict(channels_last=dict(type='mmlt.ChannelsLastHook'))
# tools/model_converters/efficientnet_lite0.py writes it.
load_from = 'work_dirs/lite0_imagenet.pth'
