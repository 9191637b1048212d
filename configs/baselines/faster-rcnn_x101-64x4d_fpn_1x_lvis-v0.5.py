_base_ = [
    '../_base_/models/faster-rcnn_x101-64x4d_fpn.py',
    '../_base_/datasets/lvis_v0.5_detection.py',
    '../_base_/schedules/lvis_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

model = dict(
    roi_head=dict(bbox_head=dict(num_classes=_base_.num_classes)),
    test_cfg=dict(rcnn=_base_.rcnn_test_cfg),
)
load_from = _base_.coco_checkpoint
