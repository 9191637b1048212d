# Fashion-Scenes as multi-label data, seen through the maps before the last
# block of a network: configs/db_loss/README.md has the commands.
_base_ = './fashion_scenes_features.py'

maps = _base_.data_root + 'maps/features_{}.npz'
train_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=maps.format('train')),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='mmlt.LoadImageFeature', file=maps.format('val')),
    dict(type='PackInputs'),
]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
