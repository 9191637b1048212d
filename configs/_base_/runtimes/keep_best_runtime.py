# The last checkpoint is kept, and the one of the best balanced accuracy.
_base_ = './default_runtime.py'

default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='accuracy/balanced')
)
