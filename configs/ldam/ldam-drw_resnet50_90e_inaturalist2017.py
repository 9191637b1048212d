_base_ = [
    '../baselines/ce_resnet50_90e_inaturalist2017.py',
    '../_base_/methods/deferred.py',
]

model = dict(head=_base_.ldam_head_small_margin)
default_hooks = dict(reweight=dict(_base_.drw, begin=60))
