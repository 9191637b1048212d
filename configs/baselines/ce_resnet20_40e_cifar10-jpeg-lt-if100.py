_base_ = [
    '../_base_/models/resnet20_cifar.py',
    '../_base_/datasets/cifar10_jpeg_lt_if100.py',
    '../_base_/schedules/cifar_bs128_40e.py',
    '../_base_/runtimes/default_runtime.py',
]

default_hooks = dict(channels_last=dict(type='mmlt.ChannelsLastHook'))
