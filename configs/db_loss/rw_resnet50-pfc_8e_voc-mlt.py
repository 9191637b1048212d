_base_ = './erm_resnet50-pfc_8e_voc-mlt.py'

model = dict(
    head=dict(
        loss=dict(
            _delete_=True,
            type='mmlt.ReweightedBCELoss',
            loss_weight=1 / 20,
        )
    )
)
