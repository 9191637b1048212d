# The same eight epochs where an epoch has 63 steps.
_base_ = './multi-label_bs32_8e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.02, by_epoch=False, end=60),
    dict(type='MultiStepLR', by_epoch=True, milestones=[5, 7], gamma=0.1),
]
