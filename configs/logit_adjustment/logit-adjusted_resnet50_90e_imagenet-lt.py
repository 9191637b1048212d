_base_ = '../baselines/ce_resnet50_90e_imagenet-lt.py'

model = dict(
    head=dict(loss=dict(_delete_=True, type='mmlt.LogitAdjustedLoss'))
)
