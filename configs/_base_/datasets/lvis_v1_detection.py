# LVIS v1 without masks.
_base_ = './lvis_v1_instance.py'

train_pipeline = [
    dict(step, with_mask=False) if step.type == 'LoadAnnotations' else step
    for step in _base_.train_pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))

val_evaluator = dict(metric='bbox')
test_evaluator = val_evaluator
