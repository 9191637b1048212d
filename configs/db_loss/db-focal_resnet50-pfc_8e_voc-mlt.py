_base_ = './rs_resnet50-pfc_8e_voc-mlt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.DistributionBalancedLoss',
            ntr=dict(scale=5.0),
            loss_weight=1 / 20,
        )
    )
)
