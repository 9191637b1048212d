_base_ = [
    './ce_lite0-pfc_20e_caltech101.py',
    '../_base_/methods/decoupling.py',
]

train_dataloader = dict(sampler=_base_.class_aware)
default_hooks = dict(trainable_parts=_base_.crt)
train_cfg = dict(max_epochs=10, val_interval=10)
param_scheduler = dict(milestones=[8, 9])
load_from = 'work_dirs/ce_lite0-pfc_20e_caltech101/epoch_20.pth'
