# Fashion-Scenes as multi-label data: 2,000 training and 500 val scenes of
# 224 x 224 pixels with 3 large garments each, 60 classes with 413 to 5
# training images. docs/multi_label.md has the command. As MMPretrain's VOC but
# for what stands here.
_base_ = 'mmpretrain::_base_/datasets/voc_bs16.py'

dataset_type = 'mmlt.MultiLabelFromInstances'
data_root = 'data/fashion_scenes_multi_label/'
data_preprocessor = dict(num_classes=60)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    # For scenes of another size; a crop would lose garments.
    dict(type='Resize', scale=224),
    *_base_.train_pipeline[2:],
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=224),
    dict(type='PackInputs'),
]

loader = dict(batch_size=32, num_workers=2, persistent_workers=True)
train_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/fashion_scenes_train.json',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/fashion_scenes_val.json',
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(_delete_=True, type='mmlt.ShotMultiLabelMAP')

test_dataloader = val_dataloader
test_evaluator = val_evaluator
