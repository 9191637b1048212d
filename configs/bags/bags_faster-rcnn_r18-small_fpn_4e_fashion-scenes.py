_base_ = (
    '../baselines/classifier_faster-rcnn_r18-small_fpn_4e_fashion-scenes.py'
)

model = dict(
    roi_head=dict(
        bbox_head=dict(
            type='mmlt.BAGSBBoxHead',
            loss_cls=dict(_delete_=True, type='mmlt.BAGSLoss'),
        )
    )
)
