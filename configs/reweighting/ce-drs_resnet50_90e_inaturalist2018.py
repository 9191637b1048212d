_base_ = [
    '../baselines/ce_resnet50_90e_inaturalist2018.py',
    '../_base_/methods/deferred.py',
]

train_dataloader = dict(sampler=dict(_base_.drs, epoch=60))
