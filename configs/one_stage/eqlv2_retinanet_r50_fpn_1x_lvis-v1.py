_base_ = './retinanet_r50_fpn_1x_lvis-v1.py'

model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='mmlt.EQLv2Loss',
            use_sigmoid=True,
            num_classes=_base_.num_classes,
        )
    )
)
