# Fashion-Scenes as multi-label data, seen through the ImageNet features that
# tools/dataset_converters/fashion_scenes_features.py has computed.
_base_ = './fashion_scenes_multi_label.py'

features = _base_.data_root + 'features_{}.npz'
data_preprocessor = dict(_delete_=True, num_classes=60, to_onehot=True)

train_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('train')),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=features.format('val')),
    dict(type='PackInputs'),
]

# Looking up a row takes less than handing it from process to process.
train_dataloader = dict(num_workers=0, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=0, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
