# As published: the classifier is linear in unit features and weights, at the
# temperature 20 of MMDetection's NormedLinear.
_base_ = './seesaw_mask-rcnn_r50_fpn_1x_lvis-v1.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(cls_predictor_cfg=dict(type='mmdet.NormedLinear'))
    )
)
