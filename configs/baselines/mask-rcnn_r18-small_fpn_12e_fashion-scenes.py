_base_ = [
    '../_base_/models/mask-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_instance.py',
    '../_base_/schedules/fashion-scenes_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]
