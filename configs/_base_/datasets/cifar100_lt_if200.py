_base_ = './cifar100_lt_if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=200))
