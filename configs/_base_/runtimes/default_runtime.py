_base_ = 'mmpretrain::_base_/default_runtime.py'

# In `default_hooks`, so that a child adds or changes a hook in one line.
default_hooks = dict(
    class_stats=dict(type='mmlt.ClassStatsHook'),
    random_state=dict(type='mmlt.RandomStateHook'),
)
