_base_ = '../ldam/ce-ldam-recipe_resnet32_200e_cifar100-lt-if100.py'

train_dataloader = dict(sampler=_base_.drs)
