_base_ = 'mmdet::_base_/models/faster-rcnn_r50_fpn.py'

# The detector of MMDetection's model zoo, trained on COCO.
coco_checkpoint = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'faster_rcnn/faster_rcnn_r50_fpn_1x_coco/'
    'faster_rcnn_r50_fpn_1x_coco_20200130-047c8118.pth'
)
