_base_ = './crt_resnet32-features_10e_cifar10-jpeg-lt-if100.py'

model = dict(head=dict(type='mmlt.LWSHead'))
default_hooks = dict(trainable_parts=_base_.lws)
load_from = 'work_dirs/ce_resnet32_200e_cifar10-jpeg-lt-if100/imported.pth'
