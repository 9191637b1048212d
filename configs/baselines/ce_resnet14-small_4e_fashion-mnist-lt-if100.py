_base_ = [
    '../_base_/models/resnet14-small_1ch.py',
    '../_base_/datasets/fashion_mnist_lt_if100.py',
    '../_base_/schedules/fashion-mnist_bs128_4e.py',
    '../_base_/runtimes/default_runtime.py',
]
