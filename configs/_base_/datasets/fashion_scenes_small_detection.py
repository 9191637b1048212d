# Fashion-Scenes of 192 x 192 pixels with many small garments in a tenth of
# them; docs/fashion_scenes.md has the command.
_base_ = './fashion_scenes_detection.py'

data_root = 'data/fashion_scenes_small/'
ann_file = data_root + 'annotations/fashion_scenes_val.json'

test_pipeline = [
    dict(type='LoadImageFromFile'),
    # of no effect, but MMDetection asks for the scale factor
    dict(type='Resize', scale=(192, 192), keep_ratio=True),
    dict(type='PackDetInputs'),
]
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader

val_evaluator = dict(ann_file=ann_file)
test_evaluator = val_evaluator
