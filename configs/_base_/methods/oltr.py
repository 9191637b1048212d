# What the second stage of OLTR adds to a classifier: the images of each class
# in turn, four at a time, n_max * C of them an epoch; and the centroids.
class_aware = dict(
    _delete_=True,
    type='mmlt.ClassAwareSampler',
    num_samples_per_class=4,
    reduce=1,
)
# Each split has a file of features of its own.
centroids_of_features = dict(
    type='mmlt.ClassCentroidsHook', train_pipeline=True
)
custom_hooks = [dict(type='mmlt.ClassCentroidsHook')]
