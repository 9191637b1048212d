_base_ = ['./ce_lite0-pfc_20e_caltech101.py', '../_base_/methods/deferred.py']

model = dict(head=_base_.ldam_head)
# Where the learning rate falls.
default_hooks = dict(reweight=dict(_base_.drw, begin=16))
