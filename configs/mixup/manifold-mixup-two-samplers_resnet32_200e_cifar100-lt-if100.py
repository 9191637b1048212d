_base_ = [
    '../baselines/ce_resnet32_200e_cifar100-lt-if100.py',
    '../_base_/methods/mixup.py',
]

model = _base_.two_samplers
train_dataloader = dict(batch_sampler=_base_.batch_sampler)
