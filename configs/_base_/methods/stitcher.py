# For MMDetection's own configs, which lack the hook that a resumed run needs.
stitching_hooks = dict(
    random_state=dict(type='mmlt.RandomStateHook'),
    stitcher=dict(type='mmlt.StitcherHook'),
)
