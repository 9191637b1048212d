# RetinaNet for Fashion-Scenes and a CPU: narrow, trained from scratch, with
# anchors of 24 to 136 pixels, square or upright as garments are.
_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

num_classes = 60

model = dict(
    backbone=dict(
        depth=18,
        base_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None,
    ),
    neck=dict(
        in_channels=[32, 64, 128, 256],
        out_channels=64,
        add_extra_convs=False,
        num_outs=3,
    ),
    bbox_head=dict(
        num_classes=num_classes,
        in_channels=64,
        feat_channels=64,
        stacked_convs=2,
        anchor_generator=dict(
            octave_base_scale=3,
            scales_per_octave=2,
            ratios=[1.0, 2.0],
            strides=[8, 16, 32],
        ),
    ),
    test_cfg=dict(score_thr=0.0001, max_per_img=300),
)
