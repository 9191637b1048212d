_base_ = './ncm_resnet32_1e_cifar100-lt-if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=50))
load_from = 'work_dirs/ce_resnet32_200e_cifar100-lt-if50/epoch_200.pth'
