_base_ = [
    '../_base_/models/htc-without-semantic_x101-64x4d_fpn.py',
    '../_base_/datasets/lvis_v0.5_instance.py',
    '../_base_/schedules/lvis_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

model = dict(
    roi_head=dict(
        bbox_head=[
            dict(head, num_classes=1230)
            for head in _base_.model.roi_head.bbox_head
        ],
        mask_head=[
            dict(head, num_classes=1230)
            for head in _base_.model.roi_head.mask_head
        ],
    ),
    test_cfg=dict(rcnn=dict(score_thr=0.0, max_per_img=300)),
)

# The detector of MMDetection's model zoo, trained on COCO.
load_from = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'htc/htc_x101_64x4d_fpn_16x1_20e_coco/'
    'htc_x101_64x4d_fpn_16x1_20e_coco_20200318-b181fd7a.pth'
)
