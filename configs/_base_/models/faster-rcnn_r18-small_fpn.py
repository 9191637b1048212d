# Faster R-CNN for Fashion-Scenes and a CPU: narrow, trained from scratch, and
# with anchors of 16 to 128 pixels.
_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

model = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, num_outs=4),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[4], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        # Boxes of 20 to 40 pixels from the finest level: a bin is then about
        # as wide as a cell of the map, and one sample in it is enough.
        bbox_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=1),
            out_channels=64,
            finest_scale=20,
            featmap_strides=[4, 8, 16],
        ),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=60),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=500, max_per_img=200),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(
        rpn=dict(nms_pre=500, max_per_img=100),
        rcnn=dict(score_thr=0.0001, max_per_img=300),
    ),
)
