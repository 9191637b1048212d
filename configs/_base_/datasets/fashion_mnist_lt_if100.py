# Fashion-MNIST, long-tailed: 14,886 training images, 6000 down to 60 a class.
# tools/dataset_converters/fashion_mnist.py puts the files there.
_base_ = './cifar10_lt_if100.py'

dataset_type = 'FashionMNIST'
data_root = 'data/fashion_mnist/'
data_preprocessor = dict(
    _delete_=True,
    num_classes=10,
    # 28 x 28 grey images of one channel; statistics of the training split
    mean=[72.94],
    std=[90.02],
)

train_pipeline = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    *_base_.train_pipeline[1:],
]

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            type=dataset_type, data_root=data_root, pipeline=train_pipeline
        )
    )
)

# Validation is on the balanced test split, as for CIFAR: do not choose a
# checkpoint or a parameter by it.
val_dataloader = dict(
    batch_size=256,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        # MMPretrain's FashionMNIST reads the test files only in test mode
        test_mode=True,
    ),
)
# Ten classes of up to 6000 images: the usual bounds (20 and 100 images) would
# leave "few" empty.
val_evaluator = dict(thresholds=(200, 1001))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
