# Fashion-MNIST, long-tailed: 14,886 training images, 6000 down to 60 a class.
# tools/dataset_converters/fashion_mnist.py puts the files there.
dataset_type = 'FashionMNIST'
data_root = 'data/fashion_mnist/'
data_preprocessor = dict(
    num_classes=10,
    # 28 x 28 grey images of one channel; statistics of the training split
    mean=[72.94],
    std=[90.02],
)

train_pipeline = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=128,
    num_workers=2,
    persistent_workers=True,
    dataset=dict(
        _scope_='mmpretrain',
        type='mmlt.LongTailedDataset',
        imbalance_factor=100,
        dataset=dict(
            type=dataset_type,
            data_root=data_root,
            split='train',
            pipeline=train_pipeline,
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

# As is usual for this data, validation is on the balanced test split: do not
# choose a checkpoint or a parameter by it.
val_dataloader = dict(
    batch_size=256,
    num_workers=2,
    persistent_workers=True,
    dataset=dict(
        _scope_='mmpretrain',
        type=dataset_type,
        data_root=data_root,
        split='test',
        # MMPretrain's FashionMNIST reads the test files only in test mode
        test_mode=True,
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
# Ten classes of up to 6000 images: the usual bounds (20 and 100 images) would
# leave "few" empty.
val_evaluator = dict(
    type='mmlt.ShotAccuracy', topk=(1,), thresholds=(200, 1001)
)

test_dataloader = val_dataloader
test_evaluator = val_evaluator
