_base_ = [
    '../_base_/models/pfc_lite0-features_single-label.py',
    '../_base_/datasets/caltech101_features.py',
    '../_base_/schedules/features_bs64_20e.py',
    '../_base_/runtimes/default_runtime.py',
]
