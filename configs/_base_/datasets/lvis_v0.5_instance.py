# LVIS v0.5: MMDetection's data set, every image once an epoch, and an
# evaluation that reads the annotations by itself. Repeat factor sampling is a
# sampler here, see configs/baselines/rfs_*.py.
_base_ = 'mmdet::_base_/datasets/lvis_v0.5_instance.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        _scope_='mmdet',
        type=_base_.dataset_type,
        data_root=_base_.data_root,
        ann_file='annotations/lvis_v0.5_train.json',
        data_prefix=dict(img='train2017/'),
        filter_cfg=dict(filter_empty_gt=True, min_size=32),
        pipeline=_base_.train_pipeline,
    )
)

val_evaluator = dict(type='mmlt.LVISMetric')
test_evaluator = val_evaluator
