_base_ = './grid-ce-rs_resnet32_30e_cifar100-lt-if50.py'

load_from = 'work_dirs/rs_resnet32_200e_cifar100-lt-if50/epoch_200.pth'
