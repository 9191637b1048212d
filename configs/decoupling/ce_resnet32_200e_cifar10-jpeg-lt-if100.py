# The first stage of `*_resnet32-features_*`; README.md names a trained one.
_base_ = [
    '../_base_/models/resnet32_cifar.py',
    '../_base_/datasets/cifar10_jpeg_lt_if100.py',
    '../_base_/schedules/cifar_bs128_200e.py',
    '../_base_/runtimes/default_runtime.py',
]

# The images that others train on, too.
train_dataloader = dict(dataset=dict(type='mmlt.LDAMLongTailedDataset'))
