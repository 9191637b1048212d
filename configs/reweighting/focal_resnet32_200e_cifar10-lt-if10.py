_base_ = './focal_resnet32_200e_cifar10-lt-if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=10))
