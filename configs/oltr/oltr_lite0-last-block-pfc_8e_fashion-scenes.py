_base_ = [
    '../_base_/models/pfc_lite0-last-block.py',
    '../_base_/datasets/fashion_scenes_maps.py',
    '../_base_/schedules/multi-label-features_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/oltr.py',
]

model = dict(head=dict(type='mmlt.MultiLabelOLTRHead'))
train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmlt.ClassAwareSampler')
)
optim_wrapper = dict(type='mmlt.BFloat16OptimWrapper')
custom_hooks = [_base_.centroids_of_features]
load_from = 'work_dirs/erm_lite0-last-block-pfc_8e_fashion-scenes/epoch_8.pth'
