# Nearest class mean of the trained detector's features; softmax for the
# background.
_base_ = [
    '../_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v0.5_detection.py',
    '../_base_/schedules/class-means_1e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/lvis_v05_recipe.py',
    '../_base_/methods/decoupling_boxes.py',
]

model = dict(
    rpn_head=_base_.rpn_head,
    roi_head=dict(
        bbox_head=dict(
            type='mmlt.NCMBBoxHead',
            num_classes=_base_.num_classes,
            loss_bbox=_base_.smooth_l1,
        )
    ),
    train_cfg=_base_.model_train_cfg,
    test_cfg=dict(rcnn=_base_.rcnn_test_cfg),
)
train_dataloader = dict(
    sampler=_base_.each_once,
    dataset=dict(
        pipeline=[
            step for step in _base_.train_pipeline if step.type != 'RandomFlip'
        ]
    ),
)
load_from = 'work_dirs/faster-rcnn_r50_fpn_1x_lvis-v0.5/epoch_12.pth'
