# Places-LT: 62,500 training images of 365 classes, 4980 down to 5 a class,
# chosen by the lists that its authors published.
_base_ = './imagenet_lt.py'

dataset_type = 'CustomDataset'
data_root = 'data/places365/'
data_preprocessor = dict(num_classes=365)

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='meta/Places_LT_train.txt',
    )
)
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='meta/Places_LT_val.txt',
    )
)
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='meta/Places_LT_test.txt',
    )
)
