_base_ = [
    './x2_faster-rcnn_r50_fpn_1x_lvis-v0.5.py',
    '../_base_/methods/classifier_only.py',
]

model = dict(
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='mmlt.ClassWeightedCELoss',
                class_weight='effective_number',
                beta=0.999,
                by='instance',
            )
        )
    )
)
default_hooks = dict(trainable_parts=_base_.classifier_only)
