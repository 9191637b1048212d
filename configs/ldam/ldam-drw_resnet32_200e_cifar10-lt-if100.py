_base_ = './ce-ldam-recipe_resnet32_200e_cifar10-lt-if100.py'

model = dict(head=_base_.ldam_head)
default_hooks = dict(reweight=_base_.drw)
