_base_ = './grid-ce-ce_resnet32_30e_cifar10-lt-if50.py'

load_from = 'work_dirs/rs_resnet32_200e_cifar10-lt-if50/epoch_200.pth'
