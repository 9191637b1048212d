_base_ = './rs_resnet50-pfc_8e_coco-mlt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.DistributionBalancedLoss',
            rebalance=dict(mu=0.2),
            loss_weight=1 / 80,
        )
    )
)
