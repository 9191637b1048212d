_base_ = [
    '../_base_/models/mask-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_instance.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/bags.py',
    '../_base_/methods/classifier_only.py',
]

model = dict(roi_head=dict(bbox_head=_base_.bags_head))
default_hooks = dict(trainable_parts=_base_.classifier_only)
load_from = 'work_dirs/mask-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
