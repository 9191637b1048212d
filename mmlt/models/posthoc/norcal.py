"""NorCal: calibrate a detector by class counts. C classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.models.losses.checks import check_prior
from mmlt.registry import TASK_UTILS

from .edits import BiasEdit


@TASK_UTILS.register_module()
@dataclass(frozen=True)
class NorCal(BiasEdit):
    """Scores of boxes divided by a power of the class count.

    `On Model Calibration for Long-Tailed Object Detection and Instance
    Segmentation <https://arxiv.org/abs/2107.02170>`_:

    ``p_c = exp(z_c) / n_c^g / (sum_k exp(z_k) / n_k^g + exp(z_bg))``, which
    are the scores of the logits ``z_c - g log n_c``, that of the background
    being as it was. This is :class:`LogitAdjustment` with ``tau=g`` and
    ``background`` 1 / sum n.

    Args:
        gamma (float): ``g`` >= 0; 0 changes nothing. Defaults to 0.6.
        by (str): ``'image'`` (the paper's) or ``'instance'`` counts.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.positive_count`.

    Raises:
        TypeError: If ``gamma`` is no number.
        ValueError: If it is out of range or a policy is unknown.
    """

    gamma: float = 0.6
    by: str = 'image'
    zero_count: str = 'error'

    def __post_init__(self) -> None:
        check_number('gamma', self.gamma)
        check_prior(self.by, self.zero_count, 'sum')

    def offset(self, stats: ClassStats) -> np.ndarray:
        """``g log n_c``."""
        count = stats.positive_count(self.by, self.zero_count)
        return self.gamma * np.log(count)
