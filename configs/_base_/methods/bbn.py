# BBN for any classifier with one branch, whose backbone goes into `backbone`.
bbn = dict(
    model=dict(
        type='mmlt.BBNClassifier',
        head=dict(type='mmlt.BBNHead', cal_acc=True),
    ),
    backbone=dict(_delete_=True, type='mmlt.BilateralBackbone'),
    # batch_size counts the images of each sampler: 128 uniform + 128 reversed.
    batch_sampler=dict(type='mmlt.BilateralBatchSampler'),
    alpha=dict(type='mmlt.AlphaScheduleHook'),
)
