from .checks import check_beta, check_by, check_groups, check_thresholds
from .collect import collect_class_stats
from .stats import ClassStats

__all__ = [
    'ClassStats',
    'check_beta',
    'check_by',
    'check_groups',
    'check_thresholds',
    'collect_class_stats',
]
