_base_ = '../baselines/faster-rcnn_x101-64x4d_fpn_1x_lvis-v1.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(
            type='mmlt.BAGSBBoxHead',
            loss_cls=dict(_delete_=True, type='mmlt.BAGSLoss'),
        )
    )
)
default_hooks = dict(
    trainable_parts=dict(
        type='mmlt.TrainablePartsHook',
        trainable=['roi_head.bbox_head.fc_cls'],
    )
)

load_from = 'work_dirs/faster-rcnn_x101-64x4d_fpn_1x_lvis-v1/epoch_12.pth'
