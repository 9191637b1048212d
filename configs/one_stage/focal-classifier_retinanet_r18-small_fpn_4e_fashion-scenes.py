# The second stage with the loss of the first: what four more epochs of the
# branch of classes bring by themselves.
_base_ = [
    '../_base_/models/retinanet_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_4e.py',
    '../_base_/runtimes/detection_runtime.py',
    '../_base_/methods/classifier_only.py',
]

# The head has no normalisation.
optim_wrapper = dict(optimizer=dict(lr=0.02))
default_hooks = dict(trainable_parts=_base_.class_branch_only)
load_from = 'work_dirs/retinanet_r18-small_fpn_12e_fashion-scenes/epoch_12.pth'
