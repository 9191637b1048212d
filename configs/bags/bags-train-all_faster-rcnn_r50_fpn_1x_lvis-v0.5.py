_base_ = './bags_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

default_hooks = dict(trainable_parts=dict(trainable=['*']))
