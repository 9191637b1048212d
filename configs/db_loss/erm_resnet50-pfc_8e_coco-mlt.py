_base_ = [
    '../_base_/models/resnet50_pfc.py',
    '../_base_/datasets/coco_mlt.py',
    '../_base_/schedules/multi-label_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/multi_label_losses.py',
]

model = dict(head=dict(num_classes=_base_.num_classes, loss=_base_.class_mean))
# 22,908 images an epoch, about as many as class-aware sampling draws (22,560).
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=12,
        dataset=_base_.train_dataloader.dataset,
    )
)
