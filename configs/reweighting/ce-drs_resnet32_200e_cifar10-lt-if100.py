_base_ = '../ldam/ce-ldam-recipe_resnet32_200e_cifar10-lt-if100.py'

train_dataloader = dict(sampler=_base_.drs)
