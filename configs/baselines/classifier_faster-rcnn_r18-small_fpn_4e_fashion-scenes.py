# The second stage of BAGS with the loss of the first: what four more epochs of
# the classifier bring by themselves.
_base_ = [
    '../_base_/models/faster-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/classifier_only.py',
]

default_hooks = dict(trainable_parts=_base_.classifier_only)
load_from = (
    'work_dirs/faster-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
)
