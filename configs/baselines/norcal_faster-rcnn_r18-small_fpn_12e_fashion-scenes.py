_base_ = [
    './faster-rcnn_r18-small_fpn_12e_fashion-scenes.py',
    '../_base_/methods/classifier_edits.py',
]

default_hooks = dict(classifier_edit=_base_.norcal)
