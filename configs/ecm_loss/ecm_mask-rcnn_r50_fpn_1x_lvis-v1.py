_base_ = '../baselines/eql_mask-rcnn_r50_fpn_1x_lvis-v1.py'

model = dict(roi_head=dict(bbox_head=dict(loss_cls=dict(type='mmlt.ECMLoss'))))
