# C sigmoids, hence a fresh classifier, whose scores start at 0.001 each.
_base_ = './x2_faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

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
            loss_cls=dict(_delete_=True, type='mmlt.BoxFocalLoss'),
        )
    )
)
