_base_ = [
    '../baselines/ce_resnet32_200e_cifar100-lt-if50.py',
    '../_base_/methods/decoupling.py',
]

model = dict(head=dict(loss=_base_.rw))
