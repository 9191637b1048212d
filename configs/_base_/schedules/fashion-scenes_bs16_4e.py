# Four epochs for a fresh classifier on a trained detector.
_base_ = './fashion-scenes_bs16_12e.py'

train_cfg = dict(max_epochs=4, val_interval=4)
param_scheduler = [
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=0,
        T_max=4,
        end=4,
        convert_to_iter_based=True,
    )
]
