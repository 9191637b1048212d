_base_ = '../baselines/ce_resnet50_90e_inaturalist2018.py'

model = dict(
    type='mmlt.BBNClassifier',
    backbone=dict(
        _delete_=True,
        type='mmlt.BilateralBackbone',
        backbone={{_base_.model.backbone}},
    ),
    head=dict(type='mmlt.BBNHead', cal_acc=True),
)
# batch_size counts the images of each sampler: 128 uniform + 128 reversed.
train_dataloader = dict(batch_sampler=dict(type='mmlt.BilateralBatchSampler'))
# The authors' code counts to 100 for 90 epochs.
default_hooks = dict(alpha=dict(type='mmlt.AlphaScheduleHook', t_max=100))
