_base_ = [
    './faster-rcnn_r50_fpn_1x_lvis-v0.5.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.tau_norm)
