_base_ = [
    '../baselines/ce_resnet20_40e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/mixup.py',
]

model = _base_.manifold_mixup
