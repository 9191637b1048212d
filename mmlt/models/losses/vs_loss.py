"""Vector-scaling loss. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from mmlt.checks import check_finite, check_number
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import SoftmaxLoss, with_background
from .checks import warn_of_tau
from .logit_adjusted_loss import logit_adjusted_loss


@MODELS.register_module()
class VSLoss(SoftmaxLoss):
    """Cross entropy of ``z_k (n_k / n_max)^gamma + tau log pi_k``.

    `Label-imbalanced and group-sensitive classification
    <https://arxiv.org/abs/2103.01550>`_, Eq. 2. With ``gamma=0`` it is the
    logit-adjusted loss, with ``tau=0`` the class-dependent temperatures of
    CDT. A class without training images counts as having one.

    Args:
        gamma (float): Exponent of the scales, >= 0. Defaults to 0.15, as
            published for CIFAR-10; 0.05 for CIFAR-100.
        tau (float): Scale of the log prior. Defaults to 1.25, as published
            for CIFAR-10; 0.75 for CIFAR-100.
        **kwargs: Arguments of :class:`~mmlt.models.losses.base.SoftmaxLoss`.

    Raises:
        TypeError: If one of them is no number.
        ValueError: If one of them is out of range.
    """

    def __init__(
        self, gamma: float = 0.15, tau: float = 1.25, **kwargs: Any
    ) -> None:
        self.gamma = check_number('gamma', gamma)
        self.tau = check_finite('tau', tau)
        warn_of_tau(type(self).__name__, tau)
        super().__init__(**kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Scales and offsets (C,)."""
        count = stats.positive_count()
        return {
            'scale': (count / count.max()) ** self.gamma,
            'offset': self.tau * stats.log_prior(zero_count='one'),
        }

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        scale = with_background(self.scale, cls_score.size(1), 1.0)
        offset = with_background(self.offset, cls_score.size(1), 0.0)
        return logit_adjusted_loss(scale * cls_score, target, offset)
