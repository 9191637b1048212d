"""Binary cross entropy, re-weighted by class. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import MultiLabelLoss


@MODELS.register_module()
class ReweightedBCELoss(MultiLabelLoss):
    """Binary cross entropy with the class weight ``n_k^-power``.

    The re-weighting baseline of `Distribution-Balanced Loss
    <https://arxiv.org/abs/2007.09654>`_: 0.5 is the square root of the
    inverse frequency, 1 the inverse frequency, 0 the binary cross entropy
    (ERM). Positive and negative labels of a class have the same weight, and
    the weights are scaled to a mean of 1. A class without training images
    counts as having one.

    Note:
        The published code weighs by ``(N / n_k)^power``, without the scaling:
        its loss is ``mean_k (N / n_k)^power`` times as large, and so is the
        effective learning rate, 7 to 84 times on COCO-MLT and VOC-MLT.
        ``loss_weight`` of this loss takes the factor.

    Args:
        power (float): Finite, >= 0.
        class_stats (ClassStats | dict | list | str | None): Image counts,
            see :class:`~mmlt.models.losses.base.MultiLabelLoss`, also for
            targets and reduction.
        **kwargs: Other arguments of the same class.

    Raises:
        ValueError: If ``power`` is negative or not finite.
    """

    can_defer = True

    def __init__(
        self,
        power: float = 0.5,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.power = check_number('power', power)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Class weights (C,) with a mean of 1."""
        count = stats.positive_count()
        # Relative to the rarest class: nothing overflows.
        weight = (count.min() / count) ** self.power
        return {'class_weight': weight / weight.mean()}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            cls_score,
            target,
            self.unless_deferred(self.class_weight),
            reduction='none',
        )
