"""Binary cross entropy, re-weighted by class. B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .focal_log_likelihood import focal_log_likelihood
from .multi_label_loss import MultiLabelLoss, check_number, positive_count


@MODELS.register_module()
class ReweightedBCELoss(MultiLabelLoss):
    """Binary cross entropy with the class weight ``n_k^-power``.

    The re-weighting baseline of `Distribution-Balanced Loss
    <https://arxiv.org/abs/2007.09654>`_: 0.5 is the square root of the
    inverse frequency, 1 the inverse frequency, 0 the binary cross entropy
    (ERM). Positive and negative labels of a class have the same weight, and
    the weights are scaled to a mean of 1. A class without training images
    counts as having one.

    Args:
        power (float): Finite, >= 0.
        class_stats (ClassStats | dict | list | str | None): Image counts,
            see :class:`MultiLabelLoss`, also for targets and reduction.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): See :class:`MultiLabelLoss`.

    Raises:
        ValueError: If ``power`` is negative or not finite.
    """

    def __init__(
        self,
        power: float = 0.5,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
    ) -> None:
        super().__init__(reduction, loss_weight, use_sigmoid)
        self.power = check_number('power', power)
        self.register_buffer('class_weight', torch.zeros(0), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the (C,) class weights."""
        count = positive_count(stats)
        # Relative to the rarest class: nothing overflows.
        weight = torch.from_numpy((count.min() / count) ** self.power)
        self.class_weight = (weight / weight.mean()).to(self.class_weight)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return focal_log_likelihood(
            cls_score,
            target,
            cls_score.new_zeros(()),
            -self.class_weight.to(cls_score.dtype),
        )
