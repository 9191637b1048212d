# COCO-MLT: 1,909 training images of COCO 2017 that a list names, 80 classes.
# docs/multi_label.md says where the list comes from.
dataset_type = 'mmlt.COCOMLT'
data_root = 'data/coco/'
num_classes = 80
# MMPretrain's heads sum over the classes; the mean is what is published.
class_mean = dict(loss_weight=1 / num_classes)
data_preprocessor = dict(
    num_classes=num_classes,
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    # images are loaded as BGR
    to_rgb=True,
    # 0/1 labels of all classes
    to_onehot=True,
)

train_pipeline = [
    dict(type='LoadImageFromFile'),
    # at least half of the image, so that few labels lose their objects
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.5, 1.0)),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=224),
    dict(type='PackInputs'),
]

loader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    pin_memory=True,
)
train_dataloader = dict(
    **loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix='train2017',
        ids='coco_mlt.json',
        pipeline=train_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
)

# As in the paper, results are those of the validation split: do not choose a
# checkpoint or a parameter by it.
val_dataloader = dict(
    **loader,
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix='val2017',
        test_mode=True,
        pipeline=test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='mmlt.ShotMultiLabelMAP')

test_dataloader = val_dataloader
test_evaluator = val_evaluator
