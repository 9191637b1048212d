_base_ = [
    '../baselines/ce_resnet32_200e_cifar10-lt-if100.py',
    '../_base_/methods/mixup.py',
]

model = _base_.mixup
