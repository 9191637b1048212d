# The BAGS paper's: 12 epochs of 16 images a step, from a COCO detector.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

train_cfg = dict(val_interval=12)
optim_wrapper = dict(
    optimizer=dict(lr=0.01), clip_grad=dict(max_norm=35, norm_type=2)
)
