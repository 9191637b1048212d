_base_ = [
    '../_base_/models/cascade-rcnn_x101-64x4d_fpn.py',
    '../_base_/datasets/lvis_v0.5_detection.py',
    '../_base_/schedules/lvis_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

model = dict(
    roi_head=dict(
        bbox_head=[
            dict(head, num_classes=1230)
            for head in _base_.model.roi_head.bbox_head
        ],
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=300)),
)

# The detector of MMDetection's model zoo, trained on COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'cascade_rcnn/cascade_rcnn_x101_64x4d_fpn_1x_coco/'
    'cascade_rcnn_x101_64x4d_fpn_1x_coco_20200515_075702-43ce6a30.pth'
)
