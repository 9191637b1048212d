# ImageNet-LT: 115,846 training images of 1000 classes, 1280 down to 5 a
# class, chosen by the lists that its authors published.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'

dataset_type = 'ImageNet'
data_root = 'data/imagenet/'

train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(
        type='ColorJitter',
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        backend='cv2',
    ),
    _base_.train_pipeline[-1],
]

loader = dict(batch_size=128, persistent_workers=True, pin_memory=True)
train_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='meta/ImageNet_LT_train.txt',
        pipeline=train_pipeline,
    ),
)

# The published validation list: 20 images a class that are not trained on.
val_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='meta/ImageNet_LT_val.txt',
        pipeline=_base_.test_pipeline,
    ),
)
# Top-1, whatever the number of classes: another data set may have few.
val_evaluator = dict(_delete_=True, type='mmlt.ShotAccuracy')

# The balanced test list, which is ImageNet's validation split.
test_dataloader = dict(
    **loader,
    dataset=dict(
        val_dataloader['dataset'], ann_file='meta/ImageNet_LT_test.txt'
    ),
)
test_evaluator = val_evaluator
