_base_ = './fashion_mnist_lt_if100.py'

train_dataloader = dict(dataset=dict(imbalance_factor=200))
