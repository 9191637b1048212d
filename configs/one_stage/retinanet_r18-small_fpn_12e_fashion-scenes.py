_base_ = [
    '../_base_/models/retinanet_r18-small_fpn.py',
    '../_base_/datasets/fashion_scenes_detection.py',
    '../_base_/schedules/fashion-scenes_bs16_12e.py',
    '../_base_/runtimes/detection_runtime.py',
]

# The head has no normalisation.
optim_wrapper = dict(optimizer=dict(lr=0.02))
