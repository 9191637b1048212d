# A second stage, in which only the classifier of a trained detector trains.
classifier_only = dict(
    type='mmlt.TrainablePartsHook', trainable=['roi_head.bbox_head.fc_cls']
)
# Those of all stages of a cascade.
classifiers_only = dict(
    type='mmlt.TrainablePartsHook', trainable=['roi_head.bbox_head.*.fc_cls']
)
# The convolutions of RetinaNet that tell classes.
class_branch_only = dict(
    type='mmlt.TrainablePartsHook',
    trainable=['bbox_head.cls_convs', 'bbox_head.retina_cls'],
)
