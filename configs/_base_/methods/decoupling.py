# Second stages on a trained classifier: what trains, and on which images.
# Batch norm is frozen with the rest, as if the features were read from a file;
# that of the papers' code is not, which is `norm_eval=False`.
crt = dict(type='mmlt.TrainablePartsHook', trainable=['head.fc'], fresh=True)
lws = dict(type='mmlt.TrainablePartsHook', trainable=['head.fc.scale'])
class_aware = dict(
    _delete_=True, type='mmlt.ClassAwareSampler', num_samples_per_class=4
)
class_balanced = dict(
    _delete_=True, type='mmlt.ClassFrequencySampler', power=0
)
# Nearest class mean trains nothing, and sees each image once.
each_once = dict(
    _delete_=True, type='DefaultSampler', shuffle=False, round_up=False
)
# Re-weighting in the grid of BBN: inverse frequency, divided by the weights of
# the batch as PyTorch does.
rw = dict(
    type='mmlt.ClassWeightedCELoss', class_weight='inverse', average='weights'
)
