_base_ = './grid-ce-ce_resnet32_30e_cifar10-lt-if50.py'

model = dict(head=dict(loss=_base_.rw))
