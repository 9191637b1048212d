# CIFAR-10, long-tailed: 12,406 training images, 5000 down to 50 a class.
# MMPretrain's augmentation and normalisation are those of the papers.
_base_ = 'mmpretrain::_base_/datasets/cifar10_bs16.py'

data_root = 'data/cifar10/'

train_dataloader = dict(
    batch_size=128,
    persistent_workers=True,
    dataset=dict(
        _delete_=True,
        type='mmlt.LongTailedDataset',
        imbalance_factor=100,
        dataset=dict(_base_.train_dataloader.dataset, data_root=data_root),
    ),
)

# As is usual for this data, validation is on the balanced test split: do not
# choose a checkpoint or a parameter by it.
val_dataloader = dict(batch_size=128, persistent_workers=True)
val_evaluator = dict(type='mmlt.ShotAccuracy')

test_dataloader = val_dataloader
test_evaluator = val_evaluator
