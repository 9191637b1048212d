_base_ = './bbn_resnet32_200e_cifar10-lt-if50.py'

# From epoch 120 of 200 on, the re-balancing branch alone.
default_hooks = dict(alpha=dict(schedule='step', schedule_args=dict(at=0.6)))
