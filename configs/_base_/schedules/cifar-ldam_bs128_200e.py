# Long-tailed CIFAR as in the code of LDAM: no Nesterov momentum, the rate of
# the first five epochs is 1/5, 2/5 ... of the whole, x 0.01 at epochs 160 and
# 180.
_base_ = './cifar_bs128_200e.py'

optim_wrapper = dict(optimizer=dict(nesterov=False))
param_scheduler = [
    dict(type='LinearLR', start_factor=1 / 5, by_epoch=True, end=5),
    dict(type='MultiStepLR', by_epoch=True, milestones=[160, 180], gamma=0.01),
]
