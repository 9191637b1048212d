# Caltech-101 without its background class, a folder for each class:
# 5,784 training images, 534 down to 21 a class, and 2,893 test images,
# data/caltech101/{train,test}/<class>/*.jpg.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'

dataset_type = 'CustomDataset'
data_root = 'data/caltech101/'
data_preprocessor = dict(num_classes=101)

loader = dict(num_workers=2, persistent_workers=True)
train_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root + 'train',
        pipeline=_base_.train_pipeline,
    ),
)
# Validation is on the test images: do not choose a checkpoint or a parameter
# by it.
val_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root + 'test',
        pipeline=_base_.test_pipeline,
    ),
)
# No class has fewer than 20 images.
val_evaluator = dict(
    _delete_=True, type='mmlt.ShotAccuracy', thresholds=(30, 101)
)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
