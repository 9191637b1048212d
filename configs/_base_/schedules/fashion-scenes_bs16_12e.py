# Twelve epochs from scratch, for a CPU.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=12)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.04, momentum=0.9, weight_decay=0.0001),
    clip_grad=dict(max_norm=35, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=125),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=1,
        T_max=11,
        end=12,
        convert_to_iter_based=True,
    ),
]
auto_scale_lr = dict(base_batch_size=16)
