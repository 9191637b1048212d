_base_ = [
    '../baselines/ce_resnet32_200e_cifar100-lt-if50.py',
    '../_base_/methods/decoupling.py',
]

train_dataloader = dict(sampler=_base_.class_balanced)
