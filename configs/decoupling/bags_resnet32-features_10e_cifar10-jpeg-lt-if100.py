_base_ = './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py'

# Groups of 2, 4 and 4 classes.
loss = dict(_delete_=True, type='mmlt.BAGSLoss', thresholds=(100, 1000))
model = dict(head=dict(type='mmlt.BAGSHead', loss=loss))
