_base_ = [
    './mask-rcnn_r50_fpn_1x_lvis-v1.py',
    '../_base_/methods/decoupling_boxes.py',
]

train_dataloader = dict(sampler=_base_.class_aware)
default_hooks = dict(trainable_parts=_base_.fresh_classifier)
load_from = 'work_dirs/mask-rcnn_r50_fpn_1x_lvis-v1/epoch_12.pth'
