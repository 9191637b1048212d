_base_ = './ce_resnet14-small_5e_fashion-mnist-lt-if100.py'

train_cfg = dict(max_epochs=12, val_interval=12)
