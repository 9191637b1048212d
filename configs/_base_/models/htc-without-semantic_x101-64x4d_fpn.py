# The model of MMDetection's htc-without-semantic_r50_fpn_1x_coco.py, which
# brings its data set along, with ResNeXt. LVIS has no maps of "stuff".
_base_ = [
    'mmdet::_base_/models/cascade-mask-rcnn_r50_fpn.py',
    './resnext101_64x4d.py',
]

mask_head = dict(
    type='HTCMaskHead',
    num_convs=4,
    in_channels=256,
    conv_out_channels=256,
    num_classes=80,
    loss_mask=dict(type='CrossEntropyLoss', use_mask=True, loss_weight=1.0),
)
model = dict(
    type='HybridTaskCascade',
    backbone=_base_.resnext101,
    roi_head=dict(
        type='HybridTaskCascadeRoIHead',
        interleaved=True,
        mask_info_flow=True,
        mask_head=[dict(mask_head, with_conv_res=False), mask_head, mask_head],
    ),
    train_cfg=dict(
        rcnn=[
            dict(stage, assigner=dict(stage.assigner, match_low_quality=True))
            for stage in _base_.model.train_cfg.rcnn
        ]
    ),
)

# The detector of MMDetection's model zoo, trained on COCO.
coco_checkpoint = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'htc/htc_x101_64x4d_fpn_16x1_20e_coco/'
    'htc_x101_64x4d_fpn_16x1_20e_coco_20200318-b181fd7a.pth'
)
