_base_ = [
    '../baselines/classifier_faster-rcnn_r18-small_fpn_4e_fashion-scenes.py',
    '../_base_/methods/bags.py',
]

model = dict(roi_head=dict(bbox_head=_base_.bags_head))
