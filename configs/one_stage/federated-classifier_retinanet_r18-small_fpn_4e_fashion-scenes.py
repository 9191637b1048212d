_base_ = './focal-classifier_retinanet_r18-small_fpn_4e_fashion-scenes.py'

model = dict(
    bbox_head=dict(
        loss_cls=dict(
            _delete_=True,
            type='mmlt.FederatedLoss',
            use_sigmoid=True,
            num_classes=_base_.num_classes,
        )
    )
)
