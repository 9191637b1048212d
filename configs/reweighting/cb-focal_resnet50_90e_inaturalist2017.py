_base_ = '../baselines/ce_resnet50_90e_inaturalist2017.py'

model = dict(
    head=dict(
        loss=dict(
            type='mmlt.SoftmaxFocalLoss', class_weight='effective_number'
        )
    )
)
