_base_ = './ncm-fc_faster-rcnn_r18-small_fpn_1e_fashion-scenes.py'

model = dict(roi_head=dict(bbox_head=dict(feature='conv')))
