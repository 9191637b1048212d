# CIFAR-100, long-tailed: 500 down to 5 training images a class. The papers
# normalise it with the statistics of CIFAR-10.
_base_ = './cifar10_lt_if100.py'

dataset_type = 'CIFAR100'
data_root = 'data/cifar100/'
data_preprocessor = dict(num_classes=100)

train_dataloader = dict(
    dataset=dict(dataset=dict(type=dataset_type, data_root=data_root))
)
val_dataloader = dict(dataset=dict(type=dataset_type, data_root=data_root))
test_dataloader = val_dataloader
