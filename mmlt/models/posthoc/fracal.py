"""FRACAL: calibrate a detector by counts and dimensions. C classes."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.models.losses.checks import check_prior
from mmlt.registry import TASK_UTILS

from .edits import BiasEdit


@TASK_UTILS.register_module()
@dataclass(frozen=True)
class FRACAL(BiasEdit):
    """Scores of boxes calibrated by class count and fractal dimension.

    `Fractal Calibration for Long-Tailed Object Detection
    <https://arxiv.org/abs/2410.11774>`_:

    ``p_c ~ exp(z_c + log_b(N / n_c) - log_b C) / D_c^l`` beside
    ``p_bg ~ exp(z_bg)``, normalised over both. As a logit this is
    ``z_c - log(C n_c / N) / log b - l log D_c``: :class:`LogitAdjustment`
    with ``tau = 1 / log b``, and the dimension D_c of
    :func:`mmlt.class_stats.fractal_dimension.fractal_dimension`.

    Note:
        N is the sum of the counts, so that balanced classes of dimension 1
        change nothing.

    Args:
        base (float): ``b`` > 1 of the logarithms of the counts.
        power (float): ``l`` >= 0; 0 leaves out the dimension.
        by (str): ``'image'`` or ``'instance'`` counts. Defaults to
            ``'instance'``: the boxes that the dimension is measured on.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.positive_count`.

    Raises:
        TypeError: If ``base`` or ``power`` is no number.
        ValueError: If one is out of range, a policy is unknown, or the
            statistics hold no dimensions.
    """

    base: float = 10.0
    power: float = 2.0
    by: str = 'instance'
    zero_count: str = 'error'

    def __post_init__(self) -> None:
        if check_number('base', self.base) <= 1:
            raise ValueError(f'base must be above 1, got {self.base}')
        check_number('power', self.power)
        check_prior(self.by, self.zero_count, 'mean')

    def offset(self, stats: ClassStats) -> np.ndarray:
        """``log(C n_c / N) / log b + l log D_c``."""
        if stats.fractal_dimension is None:
            raise ValueError(
                'FRACAL: the class statistics hold no fractal_dimension; '
                'count a training set with boxes, by mmlt.ClassStatsHook or '
                'tools/analysis_tools/class_stats.py, which needs its '
                'annotation file only, and give that JSON as class_stats'
            )
        log_prior = stats.log_prior(self.by, self.zero_count, 'mean')
        log_dimension = np.log(stats.fractal_dimension)
        return log_prior / log(self.base) + self.power * log_dimension
