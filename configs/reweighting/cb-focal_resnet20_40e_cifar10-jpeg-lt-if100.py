_base_ = '../baselines/ce_resnet20_40e_cifar10-jpeg-lt-if100.py'

model = dict(
    head=dict(
        loss=dict(
            type='mmlt.SoftmaxFocalLoss', class_weight='effective_number'
        )
    )
)
