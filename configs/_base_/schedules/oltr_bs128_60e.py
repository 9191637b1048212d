# The second stage of OLTR: 60 epochs, learning rate x 0.1 every twenty; 0.1
# for the head, 0.01 for the network and the centroids.
_base_ = './oltr-first-stage_bs128_30e.py'

optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'neck': dict(lr_mult=0.1),
            'head.memory.centroids': dict(lr_mult=0.1),
        }
    )
)
param_scheduler = dict(step_size=20)
train_cfg = dict(max_epochs=60)
