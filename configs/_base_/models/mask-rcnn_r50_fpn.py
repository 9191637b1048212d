_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'

# The detector of MMDetection's model zoo, trained on COCO.
coco_checkpoint = (
    'https://download.openmmlab.com/mmdetection/v2.0/'
    'mask_rcnn/mask_rcnn_r50_fpn_1x_coco/'
    'mask_rcnn_r50_fpn_1x_coco_20200205-d4b0c5d6.pth'
)
