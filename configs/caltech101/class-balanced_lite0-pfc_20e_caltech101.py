_base_ = './ce_lite0-pfc_20e_caltech101.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassFrequencySampler', power=0)
)
