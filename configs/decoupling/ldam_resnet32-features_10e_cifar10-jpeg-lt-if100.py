_base_ = [
    './ce_resnet32-features_10e_cifar10-jpeg-lt-if100.py',
    '../_base_/methods/deferred.py',
]

model = dict(
    head=dict(
        type='mmlt.CosineClsHead',
        loss=dict(_delete_=True, type='mmlt.LDAMLoss'),
    )
)
