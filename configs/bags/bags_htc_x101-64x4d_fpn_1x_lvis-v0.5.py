_base_ = [
    '../baselines/htc_x101-64x4d_fpn_1x_lvis-v0.5.py',
    '../_base_/methods/bags.py',
    '../_base_/methods/classifier_only.py',
]

model = dict(
    roi_head=dict(
        bbox_head=[
            dict(head, **_base_.bags_stage)
            for head in _base_.model.roi_head.bbox_head
        ]
    )
)
default_hooks = dict(trainable_parts=_base_.classifiers_only)
load_from = 'work_dirs/htc_x101-64x4d_fpn_1x_lvis-v0.5/epoch_12.pth'
