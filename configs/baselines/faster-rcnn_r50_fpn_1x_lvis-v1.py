_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v1_detection.py',
    '../_base_/schedules/lvis_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

model = dict(
    roi_head=dict(
        bbox_head=dict(num_classes=1203),
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.0001, max_per_img=300)),
)

# The detector of MMDetection's model zoo, trained on COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'faster_rcnn/faster_rcnn_r50_fpn_1x_coco/'
    'faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth'
)
