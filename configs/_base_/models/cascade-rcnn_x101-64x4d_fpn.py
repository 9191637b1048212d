_base_ = [
    'mmdet::_base_/models/cascade-rcnn_r50_fpn.py',
    './resnext101_64x4d.py',
]

model = dict(backbone=_base_.resnext101)

# The detector of MMDetection's model zoo, trained on COCO.
coco_checkpoint = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'cascade_rcnn/cascade_rcnn_x101_64x4d_fpn_1x_coco/'
    'cascade_rcnn_x101_64x4d_fpn_1x_coco_20200515_075702-43ce6a30.pth'
)
