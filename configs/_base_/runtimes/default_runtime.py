_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_hooks = [dict(type='mmlt.ClassStatsHook')]
