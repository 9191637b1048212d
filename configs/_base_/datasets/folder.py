# Images of your own, a folder for each class:
# data/mine/{train,val}/<class>/*.jpg. Set num_classes here and in the head.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'

dataset_type = 'CustomDataset'
data_root = 'data/mine/'
data_preprocessor = dict(num_classes=2)

loader = dict(num_workers=2, persistent_workers=True)
train_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_prefix='train',
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        data_prefix='val',
        pipeline=_base_.test_pipeline,
    ),
)
# Top-1, whatever the number of classes.
val_evaluator = dict(_delete_=True, type='mmlt.ShotAccuracy')
test_dataloader = val_dataloader
test_evaluator = val_evaluator
