# CIFAR-10-LT as seen by the ResNet-32 whose features
# tools/dataset_converters/image_features.py has computed.
_base_ = './cifar10_jpeg_lt_if100.py'

features = 'data/cifar10_jpeg_features/features_{}.npz'
data_preprocessor = dict(_delete_=True, num_classes=10)

train_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('train')),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('test')),
    dict(type='PackInputs'),
]

# Looking up a row takes less than handing it from process to process.
loader = dict(num_workers=0, persistent_workers=False)
train_dataloader = dict(
    **loader,
    dataset=dict(
        type='mmlt.LDAMLongTailedDataset',
        dataset=dict(pipeline=train_pipeline),
    ),
)
val_dataloader = dict(**loader, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
