# Mixing as in the table of the BBN paper: alpha is 1, and one lambda a batch.
mixup = dict(train_cfg=dict(augments=dict(type='Mixup', alpha=1.0)))
manifold_mixup = dict(type='mmlt.ManifoldMixupClassifier', alpha=1.0)
two_samplers = dict(manifold_mixup, two_samplers=True)
remix = dict(manifold_mixup, places=['input'], remix=dict(kappa=3.0, tau=0.5))
# batch_size counts the images of each sampler: 128 uniform + 128 reversed.
batch_sampler = dict(type='mmlt.BilateralBatchSampler')
