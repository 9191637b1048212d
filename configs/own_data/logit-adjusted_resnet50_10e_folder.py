_base_ = './ce_resnet50_10e_folder.py'

model = dict(
    head=dict(loss=dict(_delete_=True, type='mmlt.LogitAdjustedLoss'))
)
