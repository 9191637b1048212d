_base_ = './bags_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

model = dict(
    roi_head=dict(bbox_head=dict(loss_cls=dict(background_group=False)))
)
