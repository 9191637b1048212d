_base_ = './bbn_resnet32_200e_cifar10-lt-if50.py'

default_hooks = dict(alpha=dict(schedule='cosine'))
