_base_ = './faster-rcnn_r18-small_fpn_12e_fashion-scenes.py'

default_hooks = dict(
    classifier_edit=dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.TauNorm', tau=1.0)],
    )
)
