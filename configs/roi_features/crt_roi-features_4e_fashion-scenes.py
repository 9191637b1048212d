# A fresh classifier, and images class after class.
_base_ = './classifier_roi-features_4e_fashion-scenes.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler')
)
default_hooks = dict(trainable_parts=dict(fresh=True))
