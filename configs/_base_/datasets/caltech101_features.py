# Caltech-101, seen through features that were computed before: see
# docs/own_data.md. An image has the same features in every epoch, without
# augmentation.
_base_ = './caltech101.py'

features = _base_.data_root + 'features_{}.npz'
data_preprocessor = dict(_delete_=True, num_classes=101)

train_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('train')),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('test')),
    dict(type='PackInputs'),
]

# Looking up a row takes less than handing it from process to process.
loader = dict(batch_size=64, num_workers=0, persistent_workers=False)
train_dataloader = dict(**loader, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(**loader, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
