_base_ = './rw_resnet50-pfc_8e_coco-mlt.py'

model = dict(head=dict(loss=dict(power=1.0)))
