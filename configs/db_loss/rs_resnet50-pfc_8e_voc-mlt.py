_base_ = [
    '../_base_/models/resnet50_pfc.py',
    '../_base_/datasets/voc_mlt.py',
    '../_base_/schedules/multi-label_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
]

model = dict(head=dict(num_classes=20, loss=dict(loss_weight=1 / 20)))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler', reduce=4)
)
