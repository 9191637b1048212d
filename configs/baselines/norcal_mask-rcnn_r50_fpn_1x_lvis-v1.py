_base_ = [
    './mask-rcnn_r50_fpn_1x_lvis-v1.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.norcal)
