# The BAGS paper's: the learning rate begins at a third.
_base_ = './lvis_bs16_12e.py'

param_scheduler = [
    dict(_base_.param_scheduler[0], start_factor=1 / 3),
    _base_.param_scheduler[1],
]
