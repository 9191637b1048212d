_base_ = [
    '../baselines/faster-rcnn_r50_fpn_1x_lvis-v0.5.py',
    '../_base_/methods/bags.py',
    '../_base_/methods/classifier_only.py',
]

model = dict(roi_head=dict(bbox_head=_base_.bags_head))
default_hooks = dict(trainable_parts=_base_.classifier_only)
load_from = 'work_dirs/faster-rcnn_r50_fpn_1x_lvis-v0.5/epoch_12.pth'
