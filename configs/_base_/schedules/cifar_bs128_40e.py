# For two CPU cores: 40 epochs, two of them warm-up, learning rate x 0.01 at
# 80 and 90 % of them, forward passes in bfloat16.
optim_wrapper = dict(
    type='mmlt.BFloat16OptimWrapper',
    optimizer=dict(
        type='SGD', lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4
    ),
)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1 / 3,
        by_epoch=True,
        end=2,
        convert_to_iter_based=True,
    ),
    dict(type='MultiStepLR', by_epoch=True, milestones=[32, 36], gamma=0.01),
]
train_cfg = dict(by_epoch=True, max_epochs=40, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=128)
