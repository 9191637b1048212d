# LVIS v1: MMDetection's data set, every image once an epoch, and an
# evaluation that reads the annotations by itself. Repeat factor sampling is a
# sampler here, see _base_/methods/rfs.py.
_base_ = 'mmdet::_base_/datasets/lvis_v1_instance.py'

num_classes = 1203
rcnn_test_cfg = dict(score_thr=0.0001, max_per_img=300)

train_dataloader = dict(
    dataset=dict(_base_.train_dataloader.dataset.dataset, _delete_=True)
)

val_evaluator = dict(type='mmlt.LVISMetric')
test_evaluator = val_evaluator
