_base_ = [
    '../_base_/models/resnet10.py',
    '../_base_/datasets/places_lt.py',
    '../_base_/schedules/oltr-first-stage_bs128_30e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(head=dict(num_classes=365))
val_evaluator = dict(thresholds='oltr')
test_evaluator = val_evaluator
