# Classes in less than 5 % of the images are repeated (LVIS: 0.1 %).
_base_ = './classifier_faster-rcnn_r18-small_fpn_4e_fashion-scenes.py'

train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmlt.RepeatFactorSampler', threshold=0.05
    )
)
