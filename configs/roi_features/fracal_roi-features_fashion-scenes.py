_base_ = './posthoc_roi-features_fashion-scenes.py'

default_hooks = dict(classifier_edit=dict(edits=[dict(type='mmlt.FRACAL')]))
