_base_ = './erm_resnet50-pfc_8e_coco-mlt.py'

model = dict(head=dict(loss=dict(_base_.ldam_drw, **_base_.class_mean)))
default_hooks = dict(reweight=_base_.drw)
