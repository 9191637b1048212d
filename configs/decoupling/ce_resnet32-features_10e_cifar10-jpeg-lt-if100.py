_base_ = [
    '../_base_/models/linear_resnet32-features.py',
    '../_base_/datasets/cifar10_jpeg_lt_if100_features.py',
    '../_base_/schedules/second-stage_bs128_10e.py',
    '../_base_/runtimes/default_runtime.py',
    '../_base_/methods/decoupling.py',
]
