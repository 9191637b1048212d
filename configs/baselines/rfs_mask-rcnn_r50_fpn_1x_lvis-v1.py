_base_ = ['./mask-rcnn_r50_fpn_1x_lvis-v1.py', '../_base_/methods/rfs.py']

train_dataloader = dict(sampler=_base_.repeat_factor)
