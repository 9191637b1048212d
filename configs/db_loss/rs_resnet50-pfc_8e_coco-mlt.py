_base_ = './erm_resnet50-pfc_8e_coco-mlt.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler', reduce=4)
)
