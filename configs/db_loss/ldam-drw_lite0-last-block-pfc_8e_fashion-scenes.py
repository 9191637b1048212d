_base_ = './erm_lite0-last-block-pfc_8e_fashion-scenes.py'

model = dict(head=dict(loss=_base_.ldam_drw))
default_hooks = dict(reweight=_base_.drw)
