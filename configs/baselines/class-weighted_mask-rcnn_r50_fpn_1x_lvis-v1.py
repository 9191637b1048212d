# Softmax cross entropy; a class of n instances weighs sqrt(mean n / n), the
# background 1.
_base_ = './mask-rcnn_r50_fpn_1x_lvis-v1.py'

model = dict(
    roi_head=dict(
        bbox_head=dict(
            loss_cls=dict(
                _delete_=True,
                type='mmlt.PairwiseMarginLoss',
                preset='balanced',
                tau=0.5,
                by='instance',
            )
        )
    )
)
