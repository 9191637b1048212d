# Twelve epochs for a CPU. The rate stays high until late: BBN's alpha falls to
# the last epoch, and a rate that has decayed by then (cosine, early steps)
# leaves the re-balancing branch little to learn with.
_base_ = './fashion-mnist_bs128_4e.py'

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.1,
        by_epoch=True,
        end=1,
        convert_to_iter_based=True,
    ),
    dict(type='MultiStepLR', by_epoch=True, milestones=[10], gamma=0.1),
]
train_cfg = dict(max_epochs=12, val_interval=12)
