# Repeat factor sampling of classes in less than 0.1 % of the images, as for
# LVIS.
repeat_factor = dict(
    _delete_=True, type='mmlt.RepeatFactorSampler', threshold=0.001
)
