# Second stage: load_from names a checkpoint of
# erm_resnet50-pfc_8e_voc-mlt.py.
_base_ = './rs_resnet50-pfc_8e_voc-mlt.py'

default_hooks = dict(trainable_parts=_base_.crt)
