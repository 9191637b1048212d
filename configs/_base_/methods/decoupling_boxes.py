# Second stages of a trained detector: a fresh classifier (cRT), or a factor
# for each class of the trained one (LWS), with class-aware sampling.
class_aware = dict(
    _delete_=True, type='mmlt.ClassAwareSampler', num_samples_per_class=1
)
fresh_classifier = dict(
    type='mmlt.TrainablePartsHook',
    trainable=['roi_head.bbox_head.fc_cls'],
    fresh=True,
)
scales_only = dict(
    type='mmlt.TrainablePartsHook',
    trainable=['roi_head.bbox_head.fc_cls.scale'],
)
scaled_classifier = dict(cls_predictor_cfg=dict(type='mmlt.ScaledLinear'))
# Nearest class mean trains nothing, and sees each image once.
each_once = dict(
    _delete_=True, type='DefaultSampler', shuffle=False, round_up=False
)
