from mmlt.compat import has_mmdet

from .alpha_schedule_hook import AlphaScheduleHook
from .channels_last_hook import ChannelsLastHook
from .check_run_hook import CheckRunHook
from .class_centroids_hook import ClassCentroidsHook
from .class_stats_hook import ClassStatsHook
from .classifier_edit_hook import ClassifierEditHook
from .deferred_reweight_hook import DeferredReweightHook
from .random_state_hook import RandomStateHook
from .trainable_parts_hook import TrainablePartsHook

__all__ = [
    'AlphaScheduleHook',
    'ChannelsLastHook',
    'CheckRunHook',
    'ClassCentroidsHook',
    'ClassStatsHook',
    'ClassifierEditHook',
    'DeferredReweightHook',
    'RandomStateHook',
    'TrainablePartsHook',
]

if has_mmdet():
    from .loss_share_hook import LossShareHook
    from .stitcher_hook import StitcherHook

    __all__ += ['LossShareHook', 'StitcherHook']
