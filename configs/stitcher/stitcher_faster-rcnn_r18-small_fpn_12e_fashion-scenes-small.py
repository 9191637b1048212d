_base_ = './faster-rcnn_r18-small_fpn_12e_fashion-scenes-small.py'

default_hooks = dict(stitcher=dict(type='mmlt.StitcherHook'))
