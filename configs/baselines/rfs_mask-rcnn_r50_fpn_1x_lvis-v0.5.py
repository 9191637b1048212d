_base_ = ['./mask-rcnn_r50_fpn_1x_lvis-v0.5.py', '../_base_/methods/rfs.py']

train_dataloader = dict(sampler=_base_.repeat_factor)
