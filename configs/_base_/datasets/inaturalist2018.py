# iNaturalist 2018: 437,513 training images of 8,142 species.
_base_ = './imagenet_lt.py'

dataset_type = 'mmlt.INaturalist'
data_root = 'data/inaturalist2018/'
data_preprocessor = dict(num_classes=8142)

train_pipeline = [
    step for step in _base_.train_pipeline if step.type != 'ColorJitter'
]

train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train2018.json',
        pipeline=train_pipeline,
    )
)

# The labels of the test split are not public: as is usual for this data,
# results are those of the balanced validation split. Do not choose a
# checkpoint or a parameter by it.
val_dataloader = dict(
    dataset=dict(
        type=dataset_type, data_root=data_root, ann_file='val2018.json'
    )
)
test_dataloader = val_dataloader
