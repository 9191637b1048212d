# VOC-MLT: 1,142 training images of VOC 2012 that a list names, 20 classes;
# tested on VOC 2007.
_base_ = './coco_mlt.py'

dataset_type = 'mmlt.VOCMLT'
data_root = 'data/VOCdevkit/'
num_classes = 20
class_mean = dict(loss_weight=1 / num_classes)
data_preprocessor = dict(num_classes=num_classes)

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root + 'VOC2012',
        split='trainval',
        ids='voc_mlt.json',
        ignore_difficult=False,
        pipeline=_base_.train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type=dataset_type,
        data_root=data_root + 'VOC2007',
        split='test',
        ignore_difficult=False,
        test_mode=True,
        pipeline=_base_.test_pipeline,
    )
)
test_dataloader = val_dataloader
