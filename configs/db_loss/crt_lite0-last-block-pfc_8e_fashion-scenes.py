# Second stage: load_from names a checkpoint of
# erm_lite0-last-block-pfc_8e_fashion-scenes.py.
_base_ = './rs_lite0-last-block-pfc_8e_fashion-scenes.py'

default_hooks = dict(trainable_parts=_base_.crt)
