_base_ = [
    '../_base_/models/mask-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_instance.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
]

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

load_from = 'work_dirs/mask-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
