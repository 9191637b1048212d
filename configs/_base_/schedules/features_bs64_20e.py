# Neck and classifier on frozen features: 20 epochs, learning rate x 0.1 at 80
# and 90 % of them.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD', lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
)
param_scheduler = dict(
    type='MultiStepLR', by_epoch=True, milestones=[16, 18], gamma=0.1
)
train_cfg = dict(by_epoch=True, max_epochs=20, val_interval=20)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=64)
