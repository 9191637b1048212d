_base_ = [
    '../_base_/models/faster-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_small_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]
