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
