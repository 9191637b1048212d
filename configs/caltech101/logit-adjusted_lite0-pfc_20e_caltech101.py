_base_ = './ce_lite0-pfc_20e_caltech101.py'

model = dict(head=dict(loss=dict(type='mmlt.LogitAdjustedLoss')))
