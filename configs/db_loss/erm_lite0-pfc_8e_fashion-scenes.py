_base_ = [
    '../_base_/models/pfc_lite0-features.py',
    '../_base_/datasets/fashion_scenes_features.py',
    '../_base_/schedules/multi-label-features_bs32_8e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/multi_label_losses.py',
]
