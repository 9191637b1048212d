_base_ = './mask-rcnn_r50_fpn_1x_lvis-v1.py'

default_hooks = dict(
    classifier_edit=dict(
        type='mmlt.ClassifierEditHook',
        edits=[dict(type='mmlt.LogitAdjustment', tau=1.0, by='instance')],
    )
)
