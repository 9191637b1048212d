_base_ = 'mmdet::_base_/default_runtime.py'

# In `default_hooks`, so that a child adds or changes a hook in one line.
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=2),
    class_stats=dict(type='mmlt.ClassStatsHook'),
    random_state=dict(type='mmlt.RandomStateHook'),
)
