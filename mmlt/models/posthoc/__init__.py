from .edits import LogitAdjustment, TauNorm, adjust_logits, tau_normalize
from .find import Classifier, find_classifiers

__all__ = [
    'Classifier',
    'LogitAdjustment',
    'TauNorm',
    'adjust_logits',
    'find_classifiers',
    'tau_normalize',
]
