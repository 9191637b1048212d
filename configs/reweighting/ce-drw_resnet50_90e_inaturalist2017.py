_base_ = [
    '../baselines/ce_resnet50_90e_inaturalist2017.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=dict(loss=dict(_base_.weighted_ce, beta=0.999999)))
default_hooks = dict(reweight=dict(_base_.drw, begin=60))
