# What the Distribution-Balanced loss is compared with, in place of binary
# cross entropy, and the loss itself.
rw = dict(_delete_=True, type='mmlt.ReweightedBCELoss')
focal = dict(
    _delete_=True,
    type='mmlt.DistributionBalancedLoss',
    rebalance=None,
    ntr=None,
)
cb_focal = dict(_delete_=True, type='mmlt.ClassBalancedFocalLoss')
# A scale of 30 is for the logits of a normalised layer.
ldam = dict(_delete_=True, type='mmlt.MultiLabelLDAMLoss', scale=1.0)
db_focal = dict(_delete_=True, type='mmlt.DistributionBalancedLoss')
# Today's losses. Of asymmetric loss, the numbers are the paper's.
asl = dict(
    _delete_=True,
    type='AsymmetricLoss',
    gamma_pos=0.0,
    gamma_neg=4.0,
    clip=0.05,
)
logit_adjusted = dict(_delete_=True, type='mmlt.MultiLabelLogitAdjustedLoss')
ldam_drw = dict(ldam, class_weight='effective_number')
# LDAM's rule, weights from the first step of the learning rate on: here epoch
# 5 of 8. The number is ours; the paper has no multi-label data.
drw = dict(type='mmlt.DeferredReweightHook', begin=5)
# Classifier re-training: a fresh head on the network of `load_from`, class
# after class.
crt = dict(type='mmlt.TrainablePartsHook', trainable=['head'], fresh=True)
