_base_ = './grid-ce-ce_resnet32_30e_cifar100-lt-if50.py'

train_dataloader = dict(sampler=_base_.class_balanced)
