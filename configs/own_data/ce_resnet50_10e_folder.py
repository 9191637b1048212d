_base_ = [
    'mmpretrain::_base_/models/resnet50.py',
    '../_base_/datasets/folder.py',
    '../_base_/runtimes/keep_best_runtime.py',
    '../_base_/schedules/fine-tuning_bs32_10e.py',
]

model = dict(
    backbone=dict(
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmclassification/v0/'
            'resnet/resnet50_8xb32_in1k_20210831-ea4938fc.pth',
            prefix='backbone.',
        )
    ),
    head=dict(num_classes=2),
)
