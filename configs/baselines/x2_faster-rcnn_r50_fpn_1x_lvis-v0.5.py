# Twelve more epochs of the trained detector.
_base_ = './faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

load_from = 'work_dirs/faster-rcnn_r50_fpn_1x_lvis-v0.5/epoch_12.pth'
