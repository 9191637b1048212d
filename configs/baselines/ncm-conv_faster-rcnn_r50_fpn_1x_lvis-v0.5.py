_base_ = './ncm-fc_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

model = dict(roi_head=dict(bbox_head=dict(feature='conv')))
