from .checkpoint import edit_checkpoint
from .edits import LogitAdjustment, TauNorm, adjust_logits, tau_normalize
from .find import Classifier, find_classifiers

__all__ = [
    'Classifier',
    'LogitAdjustment',
    'TauNorm',
    'adjust_logits',
    'edit_checkpoint',
    'find_classifiers',
    'tau_normalize',
]
