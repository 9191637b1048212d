_base_ = './bbn_resnet32_200e_cifar10-lt-if50.py'

rebalancing = dict(type='mmlt.ClassFrequencySampler', power=0)
train_dataloader = dict(batch_sampler=dict(rebalancing=rebalancing))
