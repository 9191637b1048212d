_base_ = '../db_loss/erm_lite0-last-block-pfc_8e_fashion-scenes.py'

model = dict(head=dict(type='mmlt.GCNHead'))
