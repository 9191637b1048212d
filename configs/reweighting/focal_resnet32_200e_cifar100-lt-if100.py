_base_ = '../baselines/ce_resnet32_200e_cifar100-lt-if100.py'

model = dict(head=dict(loss=dict(type='mmlt.SoftmaxFocalLoss')))
