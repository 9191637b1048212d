# Ten more epochs of the trained detector, all of it, on the tail classes. The
# learning rate and the epochs are the BAGS paper's; that fewer than 100
# objects make a class of the tail is ours.
_base_ = './faster-rcnn_r50_fpn_1x_lvis-v0.5.py'

train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='mmlt.TailInstances',
        max_instances=100,
        dataset=_base_.train_dataloader.dataset,
    )
)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_epochs=10)
load_from = 'work_dirs/faster-rcnn_r50_fpn_1x_lvis-v0.5/epoch_12.pth'
