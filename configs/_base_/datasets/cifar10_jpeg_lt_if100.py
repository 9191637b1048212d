# CIFAR-10, long-tailed, from a folder of JPEG files for each class:
# data/cifar10_jpeg/{train,test}/<class>/*.jpg. JPEG costs some accuracy.
_base_ = './cifar10_lt_if100.py'

dataset_type = 'CustomDataset'
data_preprocessor = dict(to_rgb=True)  # Files are loaded as BGR.

train_pipeline = [dict(type='LoadImageFromFile'), *_base_.train_pipeline]
test_pipeline = [dict(type='LoadImageFromFile'), *_base_.test_pipeline]

train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            _delete_=True,
            type=dataset_type,
            data_root='data/cifar10_jpeg/train',
            pipeline=train_pipeline,
        )
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root='data/cifar10_jpeg/test',
        pipeline=test_pipeline,
    )
)
# The usual bounds (20 and 100 images) would leave "few" empty.
val_evaluator = dict(thresholds=(200, 1001))

test_dataloader = val_dataloader
test_evaluator = val_evaluator
