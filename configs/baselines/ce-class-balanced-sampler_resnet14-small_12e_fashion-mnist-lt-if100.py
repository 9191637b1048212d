_base_ = './ce_resnet14-small_12e_fashion-mnist-lt-if100.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassFrequencySampler', power=0)
)
