_base_ = [
    '../_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v0.5_instance.py',
    '../_base_/schedules/lvis-v0.5_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/lvis_v05_recipe.py',
]

model = dict(
    rpn_head=_base_.rpn_head,
    roi_head=dict(
        bbox_head=dict(
            num_classes=_base_.num_classes, loss_bbox=_base_.smooth_l1
        ),
        mask_head=dict(num_classes=_base_.num_classes),
    ),
    train_cfg=_base_.model_train_cfg,
    test_cfg=dict(rcnn=_base_.rcnn_test_cfg),
)
load_from = _base_.coco_checkpoint
