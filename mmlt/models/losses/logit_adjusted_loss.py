"""Logit-adjusted softmax cross entropy. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_finite
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import SoftmaxLoss, with_background
from .checks import check_prior, warn_of_tau


def logit_adjusted_loss(
    cls_score: Tensor, target: Tensor, offset: Tensor
) -> Tensor:
    """Softmax cross entropy of ``z + offset``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 10, with
    ``offset = tau * log pi``.

    Args:
        cls_score (Tensor): (B, C) logits ``z``.
        target (Tensor): (B,) labels, or (B, C) label distributions.
        offset (Tensor): (C,).

    Returns:
        Tensor: (B,) losses.
    """
    return F.cross_entropy(cls_score + offset, target, reduction='none')


@MODELS.register_module()
class LogitAdjustedLoss(SoftmaxLoss):
    """Cross entropy of ``z + tau * log pi``, evaluated on the raw ``z``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 10. Use either this loss or
    post-hoc adjustment (:mod:`mmlt.models.posthoc.edits`), never both.

    In a detection head (C + 1 columns) the background column is not touched.

    Args:
        tau (float): Scale of the log prior. Defaults to 1.0.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`~mmlt.models.losses.base.SoftmaxLoss`, also for targets.
        by (str): Prior from ``'image'`` or ``'instance'`` counts.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.log_prior`.
        background (str | float): ``'mean'``, ``'sum'`` or a prior, see
            there.
        **kwargs: ``reduction`` and ``loss_weight`` of the same class.

    Raises:
        ValueError: If ``tau`` is not finite or a policy is unknown.
    """

    def __init__(
        self,
        tau: float = 1.0,
        class_stats: Any = None,
        by: str = 'image',
        zero_count: str = 'error',
        background: str | float = 'mean',
        **kwargs: Any,
    ) -> None:
        self.tau = check_finite('tau', tau)
        warn_of_tau(type(self).__name__, tau)
        self.prior = check_prior(by, zero_count, background)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """``tau * log pi``, (C,)."""
        return {'offset': self.tau * stats.log_prior(**self.prior)}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        offset = with_background(self.offset, cls_score.size(1), 0.0)
        return logit_adjusted_loss(cls_score, target, offset)
