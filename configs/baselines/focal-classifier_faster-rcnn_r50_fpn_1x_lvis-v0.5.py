_base_ = [
    './focal_faster-rcnn_r50_fpn_1x_lvis-v0.5.py',
    '../_base_/methods/classifier_only.py',
]

default_hooks = dict(trainable_parts=_base_.classifier_only)
