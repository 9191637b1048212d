_base_ = './erm_lite0-last-block-pfc_8e_fashion-scenes.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler')
)
