_base_ = './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py'

model = dict(head=dict(loss=_base_.rw))
