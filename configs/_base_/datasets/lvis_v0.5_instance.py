# LVIS v0.5: MMDetection's data set, every image once an epoch, and an
# evaluation that reads the annotations by itself. Repeat factor sampling is a
# sampler here, see _base_/methods/rfs.py. One size of images, as in the BAGS
# paper.
_base_ = 'mmdet::_base_/datasets/lvis_v0.5_instance.py'

num_classes = 1230
rcnn_test_cfg = dict(score_thr=0.0, max_per_img=300)

train_pipeline = [
    dict(type='Resize', scale=(1333, 800), keep_ratio=True)
    if step.type == 'RandomChoiceResize'
    else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(
    dataset=dict(
        _base_.train_dataloader.dataset.dataset,
        _delete_=True,
        pipeline=train_pipeline,
    )
)

val_evaluator = dict(type='mmlt.LVISMetric')
test_evaluator = val_evaluator
