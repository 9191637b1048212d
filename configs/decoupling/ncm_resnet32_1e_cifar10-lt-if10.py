_base_ = './ncm_resnet32_1e_cifar10-lt-if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=10))
load_from = 'work_dirs/ce_resnet32_200e_cifar10-lt-if10/epoch_200.pth'
