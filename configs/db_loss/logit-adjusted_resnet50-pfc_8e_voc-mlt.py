_base_ = './erm_resnet50-pfc_8e_voc-mlt.py'

model = dict(head=dict(loss=dict(_base_.logit_adjusted, **_base_.class_mean)))
