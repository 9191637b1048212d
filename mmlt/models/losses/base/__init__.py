"""What losses inherit, so that the file of a loss holds its formula only.

A subclass writes ``element_loss(cls_score, target)`` and, if it needs class
frequencies, ``tables(stats)``. The base does the rest: statistics, checks,
precision, weight, reduction, ``avg_factor`` and ``loss_weight``.

Shape letters: B batch (R RoIs in a detector), C classes, K columns of the
classifier.
"""

from .boxes import BoxLoss
from .element import ElementLoss, in_full_precision
from .gradient_ratio import GradientRatioLoss
from .multi_label import MultiLabelLoss
from .softmax import SoftmaxLoss, with_background

__all__ = [
    'BoxLoss',
    'ElementLoss',
    'GradientRatioLoss',
    'MultiLabelLoss',
    'SoftmaxLoss',
    'in_full_precision',
    'with_background',
]
