from .collect import collect_class_stats
from .stats import ClassStats, check_by, check_groups, check_thresholds

__all__ = [
    'ClassStats',
    'check_by',
    'check_groups',
    'check_thresholds',
    'collect_class_stats',
]
