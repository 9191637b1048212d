_base_ = './db-focal_resnet50-pfc_8e_coco-mlt.py'

model = dict(head=dict(loss=dict(focal=None)))
