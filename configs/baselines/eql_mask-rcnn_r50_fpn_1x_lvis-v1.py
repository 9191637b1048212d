_base_ = './mask-rcnn_r50_fpn_1x_lvis-v1.py'

# No sigmoid starts at 0.5, or the negatives of 1203 classes would be all of
# the first loss.
model = dict(
    roi_head=dict(
        bbox_head=dict(
            init_cfg=[
                dict(
                    type='Normal',
                    std=0.01,
                    bias_prob=0.001,
                    override=dict(name='fc_cls'),
                ),
                dict(type='Normal', std=0.001, override=dict(name='fc_reg')),
            ],
            loss_cls=dict(
                _delete_=True,
                type='mmlt.EQLLoss',
                num_classes=_base_.num_classes,
            ),
        )
    )
)
