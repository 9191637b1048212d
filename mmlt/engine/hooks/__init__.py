from .alpha_schedule_hook import AlphaScheduleHook
from .class_stats_hook import ClassStatsHook

__all__ = ['AlphaScheduleHook', 'ClassStatsHook']
