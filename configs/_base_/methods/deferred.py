# Deferred re-weighting and re-sampling: from epoch 160 of 200 on, where the
# rate falls in the recipe of LDAM, cifar-ldam_bs128_200e.py.
drw = dict(type='mmlt.DeferredReweightHook', begin=160)
drs = dict(_delete_=True, type='mmlt.DeferredSampler', epoch=160)
# Weighted as PyTorch does, by the weights of the batch, as the papers' code.
weighted_ce = dict(type='mmlt.ClassWeightedCELoss', average='weights')
ldam_head = dict(
    type='mmlt.CosineClsHead',
    loss=dict(
        type='mmlt.LDAMLoss',
        class_weight='effective_number',
        average='weights',
    ),
)
# For iNaturalist.
ldam_head_small_margin = dict(
    ldam_head, loss=dict(ldam_head['loss'], max_margin=0.3)
)
