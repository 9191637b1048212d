# The second stage of BAGS with the loss of the first: what four more epochs of
# the classifier bring by themselves.
_base_ = [
    '../_base_/models/faster-rcnn_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
]

default_hooks = dict(
    trainable_parts=dict(
        type='mmlt.TrainablePartsHook',
        trainable=['roi_head.bbox_head.fc_cls'],
    )
)

load_from = (
    'work_dirs/faster-rcnn_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
)
