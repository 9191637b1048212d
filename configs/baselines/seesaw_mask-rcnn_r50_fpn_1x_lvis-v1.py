_base_ = './mask-rcnn_r50_fpn_1x_lvis-v1.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='mmlt.SeesawLoss',
                p=0.8,
                q=2.0,
                num_classes=_base_.num_classes,
            )
        )
    )
)
