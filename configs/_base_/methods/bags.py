# The box head of BAGS, and that of a stage of a cascade.
bags_stage = dict(
    type='mmlt.BAGSBBoxHead', loss_cls=dict(type='mmlt.BAGSLoss')
)
bags_head = dict(
    type='mmlt.BAGSBBoxHead',
    loss_cls=dict(_delete_=True, type='mmlt.BAGSLoss'),
)
