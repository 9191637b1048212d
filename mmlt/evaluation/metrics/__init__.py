from .dump_logits import DumpLogits
from .lvis import LVISMetric
from .shot_accuracy import ShotAccuracy
from .shot_multi_label_map import ShotMultiLabelMAP

__all__ = ['DumpLogits', 'LVISMetric', 'ShotAccuracy', 'ShotMultiLabelMAP']
