_base_ = [
    './mask-rcnn_r50_fpn_1x_lvis-v1.py',
    '../_base_/methods/classifier_edits.py',
]

# The paper's.
model = dict(test_cfg=dict(rcnn=dict(nms=dict(iou_threshold=0.3))))
default_hooks = dict(classifier_edit=_base_.fracal)
