_base_ = '../baselines/ce_resnet14-small_4e_fashion-mnist-lt-if100.py'

model = dict(head=dict(loss=dict(type='mmlt.LogitAdjustedLoss')))
