from .dump_logits import DumpLogits
from .shot_accuracy import ShotAccuracy

__all__ = ['DumpLogits', 'ShotAccuracy']
