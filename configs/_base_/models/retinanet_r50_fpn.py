_base_ = 'mmdet::_base_/models/retinanet_r50_fpn.py'

# The detector of MMDetection's model zoo, trained on COCO.
coco_checkpoint = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'retinanet/retinanet_r50_fpn_1x_coco/'
    'retinanet_r50_fpn_1x_coco_20200130-c2398f9e.pth'
)
