_base_ = './faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'

model = dict(roi_head=dict(bbox_head=dict(type='mmlt.TauNormBBoxHead')))
