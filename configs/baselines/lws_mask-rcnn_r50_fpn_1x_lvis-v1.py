_base_ = [
    './mask-rcnn_r50_fpn_1x_lvis-v1.py',
    '../_base_/methods/decoupling_boxes.py',
]

model = dict(roi_head=dict(bbox_head=_base_.scaled_classifier))
train_dataloader = dict(sampler=_base_.class_aware)
default_hooks = dict(trainable_parts=_base_.scales_only)
load_from = 'work_dirs/mask-rcnn_r50_fpn_1x_lvis-v1/epoch_12.pth'
