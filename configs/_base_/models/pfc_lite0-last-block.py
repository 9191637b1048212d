# The last block of EfficientNet-Lite0 and all that follows, on maps that were
# computed before it.
_base_ = './pfc_lite0-features.py'

model = dict(
    backbone=dict(
        _delete_=True, type='mmlt.EfficientNetLite0', begin='layers.5.4'
    )
)
