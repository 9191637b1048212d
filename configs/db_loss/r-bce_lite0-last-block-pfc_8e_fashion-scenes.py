_base_ = './db-focal_lite0-last-block-pfc_8e_fashion-scenes.py'

model = dict(head=dict(loss=dict(ntr=None, focal=None)))
