# A class of n instances weighs 1 / n over the mean of all, at least 0.1 and at
# most 5, the background 1.
_base_ = './x2_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='mmlt.ClassWeightedCELoss',
                class_weight='inverse',
                by='instance',
                limits=(0.1, 5.0),
            )
        )
    )
)
