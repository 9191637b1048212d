"""Equalization loss. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule
from mmlt.registry import MODELS

from .box_scores import SigmoidBoxLoss, check_labels
from .logit_adjusted_loss import check_reduction


@MODELS.register_module()
class EQLLoss(SigmoidBoxLoss, ClassStatsModule):
    r"""Sigmoid loss that spares rare classes the negatives of others.

    `Equalization loss <https://arxiv.org/abs/2003.05176>`_, Eq. 3 and 4:

    .. math::
        L = \sum_j w_j \, \mathrm{BCE}(z_j, y_j), \qquad
        w_j = 1 - E(r) \, T(f_j) \, (1 - y_j)

    with E(r) = 1 for foreground RoIs and T(f) = 1 for classes in less than
    the share ``frequency`` of the training images. The background is the RoI
    without a positive class; a box has the score sigmoid(z).

    Args:
        num_classes (int): Number of classes C, without the background.
        frequency (float): lambda, a share of the images. Defaults to 1.1e-3
            (LVIS v1); 1.76e-3 is the published value for LVIS v0.5.
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'`` over the RoIs.
        loss_weight (float): Weight of the loss.

    Raises:
        ValueError: If ``frequency`` is no share, or the statistics have
            another number of classes.
    """

    def __init__(
        self,
        num_classes: int,
        frequency: float = 1.1e-3,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if not 0 <= frequency <= 1:
            raise ValueError(f'frequency must be in [0, 1], got {frequency}')
        self.num_classes = num_classes
        self.frequency = frequency
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.register_buffer(
            'rare', torch.zeros(num_classes, dtype=torch.bool), False
        )
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Find the rare classes."""
        if stats.num_classes != self.num_classes:
            raise ValueError(
                f'EQLLoss has num_classes={self.num_classes}, but the class '
                f'statistics hold {stats.num_classes} classes'
            )
        rare = stats.image_count < self.frequency * stats.num_images
        self.rare = torch.from_numpy(rare).to(self.rare.device)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss, summed over the classes.

        Args:
            cls_score (Tensor): (R, C) logits.
            target (Tensor): (R,) labels, C for the background.
            weight (Tensor | None): (R,) weight of each RoI.
            avg_factor (float | None): Divide the sum by this instead of R.
            reduction_override (str | None): Instead of ``reduction``.
        """
        self.check_class_stats()
        check_labels(cls_score, target, self.num_classes)
        positive = F.one_hot(target, self.num_classes + 1)[:, :-1]
        foreground = (target < self.num_classes).unsqueeze(1)
        spared = foreground & self.rare & (positive == 0)
        losses = F.binary_cross_entropy_with_logits(
            cls_score, positive.to(cls_score.dtype), reduction='none'
        )
        losses = losses.masked_fill(spared, 0).sum(dim=1)
        return self.loss_weight * weight_reduce_loss(
            losses, weight, reduction_override or self.reduction, avg_factor
        )
