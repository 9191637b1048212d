_base_ = './rw_lite0-pfc_8e_fashion-scenes.py'

model = dict(head=dict(loss=dict(power=1.0)))
