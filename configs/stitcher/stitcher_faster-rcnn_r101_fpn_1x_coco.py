_base_ = [
    'mmdet::faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py',
    '../_base_/methods/stitcher.py',
]

default_hooks = _base_.stitching_hooks
