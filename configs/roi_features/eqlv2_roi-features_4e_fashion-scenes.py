# A fresh classifier that starts at a probability of 0.001, as for LVIS.
_base_ = [
    './classifier_roi-features_4e_fashion-scenes.py',
    '../_base_/methods/sigmoid_boxes.py',
]

model = dict(
    roi_head=dict(
        bbox_head=dict(
            init_cfg=_base_.sigmoid_boxes,
            loss_cls=dict(
                _delete_=True, type='mmlt.EQLv2Loss', num_classes=60
            ),
        )
    )
)
default_hooks = dict(trainable_parts=dict(fresh=True))
