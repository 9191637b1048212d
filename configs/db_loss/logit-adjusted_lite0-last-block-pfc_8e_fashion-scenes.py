_base_ = './erm_lite0-last-block-pfc_8e_fashion-scenes.py'

model = dict(head=dict(loss=_base_.logit_adjusted))
