# COCO-MLT: 1,909 training images of COCO 2017 that a list names, 80 classes.
# docs/multi_label.md says where the list comes from. As MMPretrain's VOC but
# for what stands here.
_base_ = 'mmpretrain::_base_/datasets/voc_bs16.py'

dataset_type = 'mmlt.COCOMLT'
data_root = 'data/coco/'
num_classes = 80
# MMPretrain's heads sum over the classes; the mean is what is published.
class_mean = dict(loss_weight=1 / num_classes)
data_preprocessor = dict(num_classes=num_classes)

# Published is the distortion of SSD: each part in every second image, and
# brightness moved by up to 32 of 255, which is a factor here. MMPretrain's own
# ColorJitter fails at hues with NumPy 2.
colours = [
    dict(type='NumpyToPIL', to_rgb=True),
    *[
        dict(
            type='RandomApply',
            transforms=dict(type='torchvision/ColorJitter', **part),
        )
        for part in (
            dict(brightness=32 / 255),
            dict(contrast=0.5),
            dict(saturation=0.5),
            dict(hue=18 / 360),
        )
    ],
    dict(type='PILToNumpy', to_bgr=True),
]
train_pipeline = [
    dict(type='LoadImageFromFile'),
    *colours,
    # At least 0.8 of the image, so that few labels lose their objects; of
    # its area here, of each side in the published code.
    dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.8, 1.0)),
    *_base_.train_pipeline[2:],
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
# The labels of the published code: crowds count, boxes below a pixel do not.
labels = dict(ignore_crowd=False, drop_tiny=True)
train_dataloader = dict(
    **loader,
    drop_last=True,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_train2017.json',
        data_prefix='train2017',
        ids='coco_mlt.json',
        **labels,
        pipeline=train_pipeline,
    ),
)

# As in the paper, results are those of the validation split: do not choose a
# checkpoint or a parameter by it.
val_dataloader = dict(
    **loader,
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/instances_val2017.json',
        data_prefix='val2017',
        **labels,
        test_mode=True,
        pipeline=test_pipeline,
    ),
)
val_evaluator = dict(
    _delete_=True,
    type='mmlt.ShotMultiLabelMAP',
    thresholds='db_loss',
    strict=True,
)

test_dataloader = val_dataloader
test_evaluator = val_evaluator
