_base_ = './mask-rcnn_r50_fpn_1x_lvis-v0.5.py'

train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmlt.RepeatFactorSampler', threshold=0.001
    )
)
