_base_ = [
    '../_base_/models/resnet50_pfc.py',
    '../_base_/datasets/coco_mlt.py',
    '../_base_/schedules/multi-label_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/oltr.py',
]

model = dict(
    head=dict(
        type='mmlt.MultiLabelOLTRHead',
        num_classes=_base_.num_classes,
        loss=_base_.class_mean,
    )
)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler', reduce=4)
)
load_from = 'work_dirs/erm_resnet50-pfc_8e_coco-mlt/epoch_8.pth'
