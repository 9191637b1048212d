_base_ = [
    '../_base_/models/linear_resnet32-features.py',
    '../_base_/datasets/cifar10_jpeg_lt_if100_features.py',
    '../_base_/schedules/second-stage_bs128_10e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/oltr.py',
]

model = dict(head=dict(type='mmlt.OLTRHead'))
# As many images an epoch as the training set has, as the rows beside it.
train_dataloader = dict(
    sampler=dict(
        _delete_=True, type='mmlt.ClassAwareSampler', num_samples_per_class=4
    )
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'head.memory.centroids': dict(lr_mult=0.1)}
    )
)
custom_hooks = [_base_.centroids_of_features]
load_from = 'work_dirs/ce_resnet32_200e_cifar10-jpeg-lt-if100/imported.pth'
