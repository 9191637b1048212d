# Classes in less than 5 % of the images are repeated (LVIS: 0.1 %).
_base_ = [
    './classifier_faster-rcnn_r18-small_fpn_4e_fashion-scenes.py',
    '../_base_/methods/rfs.py',
]

train_dataloader = dict(sampler=dict(_base_.repeat_factor, threshold=0.05))
