_base_ = [
    './mask-rcnn_r50_fpn_1x_lvis-v1.py',
    '../_base_/methods/sigmoid_boxes.py',
]

model = dict(
    roi_head=dict(
        bbox_head=dict(
            init_cfg=_base_.sigmoid_boxes,
            loss_cls=dict(
                _delete_=True,
                type='mmlt.EQLLoss',
                num_classes=_base_.num_classes,
            ),
        )
    )
)
