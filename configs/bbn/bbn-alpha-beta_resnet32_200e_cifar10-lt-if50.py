_base_ = './bbn_resnet32_200e_cifar10-lt-if50.py'

# A draw for each batch.
default_hooks = dict(alpha=dict(schedule='beta', by_epoch=False))
