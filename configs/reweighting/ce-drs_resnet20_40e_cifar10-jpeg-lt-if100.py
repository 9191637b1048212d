_base_ = [
    '../baselines/ce_resnet20_40e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

train_dataloader = dict(sampler=dict(_base_.drs, epoch=32))
