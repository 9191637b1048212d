# Fashion-Scenes as multi-label data: 2,000 training and 500 val scenes of
# 224 x 224 pixels with 3 large garments each, 60 classes with 413 to 5
# training images. docs/multi_label.md has the command.
dataset_type = 'mmlt.MultiLabelFromInstances'
data_root = 'data/fashion_scenes_multi_label/'
data_preprocessor = dict(
    num_classes=60,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    # images are loaded as BGR
    to_rgb=True,
    # 0/1 labels of all classes
    to_onehot=True,
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    # For scenes of another size; a crop would lose garments.
    dict(type='Resize', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
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
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/fashion_scenes_train.json',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    **loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/fashion_scenes_val.json',
        test_mode=True,
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='mmlt.ShotMultiLabelMAP')

test_dataloader = val_dataloader
test_evaluator = val_evaluator
