_base_ = './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py'

train_dataloader = dict(sampler=_base_.class_aware)
