_base_ = [
    '../_base_/models/htc-without-semantic_x101-64x4d_fpn.py',
    '../_base_/datasets/lvis_v0.5_instance.py',
    '../_base_/schedules/lvis-v0.5_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

model = dict(
    roi_head=dict(
        bbox_head=[
            dict(head, num_classes=_base_.num_classes)
            for head in _base_.model.roi_head.bbox_head
        ],
        mask_head=[
            dict(head, num_classes=_base_.num_classes)
            for head in _base_.model.roi_head.mask_head
        ],
    ),
    test_cfg=dict(rcnn=_base_.rcnn_test_cfg),
)
load_from = _base_.coco_checkpoint
