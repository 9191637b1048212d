_base_ = [
    '../_base_/models/resnet10.py',
    '../_base_/datasets/imagenet_lt.py',
    '../_base_/schedules/oltr-first-stage_bs128_30e.py',
    '../_base_/runtimes/default_runtime.py',
]

val_evaluator = dict(thresholds='oltr')
test_evaluator = val_evaluator
