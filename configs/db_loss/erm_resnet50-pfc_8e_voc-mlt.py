_base_ = [
    '../_base_/models/resnet50_pfc.py',
    '../_base_/datasets/voc_mlt.py',
    '../_base_/schedules/multi-label_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/multi_label_losses.py',
]

model = dict(head=dict(num_classes=_base_.num_classes, loss=_base_.class_mean))
# 3,426 images an epoch, about as many as class-aware sampling draws (3,875).
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='RepeatDataset',
        times=3,
        dataset=_base_.train_dataloader.dataset,
    )
)
