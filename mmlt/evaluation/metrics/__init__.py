from mmlt.compat import has_mmdet

from .dump_boxes import DumpBoxes
from .dump_logits import DumpLogits
from .open_set_f_measure import OpenSetFMeasure
from .shot_accuracy import ShotAccuracy
from .shot_multi_label_map import ShotMultiLabelMAP

__all__ = [
    'DumpBoxes',
    'DumpLogits',
    'OpenSetFMeasure',
    'ShotAccuracy',
    'ShotMultiLabelMAP',
]

if has_mmdet():
    from .lvis import LVISMetric
    from .shot_coco import ShotCocoMetric

    __all__ += ['LVISMetric', 'ShotCocoMetric']
