_base_ = './db-focal_resnet50-pfc_8e_voc-mlt.py'

model = dict(head=dict(loss=dict(ntr=None)))
