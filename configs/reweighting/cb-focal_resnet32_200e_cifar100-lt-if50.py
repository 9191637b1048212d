_base_ = './cb-focal_resnet32_200e_cifar100-lt-if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=50))
