_base_ = '../ldam/ce-ldam-recipe_resnet32_200e_cifar100-lt-if100.py'

model = dict(head=dict(loss=_base_.weighted_ce))
default_hooks = dict(reweight=_base_.drw)
