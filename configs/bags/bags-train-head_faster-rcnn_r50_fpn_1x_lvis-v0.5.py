# The shared layers and the box regression train, too.
_base_ = './bags_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

default_hooks = dict(trainable_parts=dict(trainable=['roi_head.bbox_head']))
