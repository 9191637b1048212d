from .checkpoint import edit_checkpoint
from .edits import (
    BiasEdit,
    LogitAdjustment,
    TauNorm,
    adjust_logits,
    tau_normalize,
)
from .find import Classifier, find_classifiers
from .fracal import FRACAL
from .norcal import NorCal

__all__ = [
    'FRACAL',
    'BiasEdit',
    'Classifier',
    'LogitAdjustment',
    'NorCal',
    'TauNorm',
    'adjust_logits',
    'edit_checkpoint',
    'find_classifiers',
    'tau_normalize',
]
