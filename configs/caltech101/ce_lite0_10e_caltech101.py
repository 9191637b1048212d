_base_ = [
    '../_base_/models/lite0.py',
    '../_base_/datasets/caltech101.py',
    '../_base_/schedules/fine-tuning_bs32_10e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(head=dict(num_classes=101))
optim_wrapper = dict(type='mmlt.BFloat16OptimWrapper')
default_hooks = dict(channels_last=dict(type='mmlt.ChannelsLastHook'))
# tools/model_converters/efficientnet_lite0.py writes it.
load_from = 'work_dirs/lite0_imagenet.pth'
