_base_ = [
    '../baselines/ce_resnet50_90e_inaturalist2018.py',
    '../_base_/methods/bbn.py',
]

model = dict(
    _base_.bbn.model,
    backbone=dict(_base_.bbn.backbone, backbone=_base_.model.backbone),
)
train_dataloader = dict(batch_sampler=_base_.bbn.batch_sampler)
# The authors' code counts to 100 for 90 epochs.
default_hooks = dict(alpha=dict(_base_.bbn.alpha, t_max=100))
