# Long-tailed CIFAR as in the code of BBN: 200 epochs with Nesterov momentum,
# in the first five the rate rises by epoch from a third, x 0.01 at epochs 120
# and 160. LDAM's is cifar-ldam_bs128_200e.py.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4
    )
)
param_scheduler = [
    # The whole rate in the epoch before `end`, 5 counted from 0.
    dict(type='LinearLR', start_factor=1 / 3, by_epoch=True, end=6),
    dict(type='MultiStepLR', by_epoch=True, milestones=[120, 160], gamma=0.01),
]
train_cfg = dict(by_epoch=True, max_epochs=200, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
