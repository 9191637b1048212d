_base_ = './logit-adjusted_resnet32-features_10e_cifar10-jpeg-lt-if100.py'

images = _base_.train_dataloader.dataset
parts = dict(_delete_=True, type='mmlt.HoldOutDataset', share=0.2)
train_dataloader = dict(dataset=dict(**parts, dataset=images))
val_dataloader = dict(dataset=dict(**parts, held_out=True, dataset=images))
test_dataloader = val_dataloader
