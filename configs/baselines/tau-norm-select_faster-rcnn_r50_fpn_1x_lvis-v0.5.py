# Tau-norm among the classes; the softmax decides on the background.
_base_ = './faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

model = dict(roi_head=dict(bbox_head=dict(type='mmlt.TauNormBBoxHead')))
