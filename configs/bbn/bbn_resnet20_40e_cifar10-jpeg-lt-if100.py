_base_ = [
    '../baselines/ce_resnet20_40e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/bbn.py',
]

model = dict(
    _base_.bbn.model,
    backbone=dict(_base_.bbn.backbone, backbone=_base_.model.backbone),
)
train_dataloader = dict(batch_sampler=_base_.bbn.batch_sampler)
default_hooks = dict(alpha=_base_.bbn.alpha)
