_base_ = [
    '../_base_/models/faster-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/decoupling_boxes.py',
]

train_dataloader = dict(sampler=_base_.class_aware)
default_hooks = dict(trainable_parts=_base_.fresh_classifier)
load_from = (
    'work_dirs/faster-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
)
