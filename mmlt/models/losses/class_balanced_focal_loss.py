"""Class-balanced focal loss for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import MultiLabelLoss
from .checks import settings
from .class_weights import check_beta, inverse_effective_number
from .focal_bce import FOCAL, focal_bce


def mean_of_labels(target: Tensor, values: Tensor) -> Tensor:
    """(B, 1) mean of the values (C,) of each image's classes."""
    total = (target * values).sum(1, keepdim=True)
    return total / target.sum(1, keepdim=True)


MODES = ('by_class', 'average_n', 'average_w', 'min_n')


@MODELS.register_module()
class ClassBalancedFocalLoss(MultiLabelLoss):
    """Focal loss, weighted by the inverse effective number of samples.

    `Class-Balanced Loss <https://arxiv.org/abs/1901.05555>`_, and the four
    ways of `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_
    to use it with several labels an image: ``'by_class'`` weighs each class,
    the others each image, by the mean count of its classes (``'average_n'``),
    the mean weight (``'average_w'``) or the smallest count (``'min_n'``).

    Weights are divided by the mean over the classes, so that those of the
    classes sum to C. A class without training images counts as having one;
    an image without a positive label has the weight 1.

    Note:
        The published code of Distribution-Balanced Loss does not divide: its
        loss is ``mean_k (1 - beta) / (1 - beta^n_k)`` times this one, far
        below 1. ``loss_weight`` takes the factor.

    Args:
        mode (str): One of the four.
        beta (float): In [0, 1).
        focal (dict | None): ``gamma`` and ``balance``, a constant factor;
            None for the binary cross entropy.
        class_stats (ClassStats | dict | list | str | None): Image counts,
            see :class:`~mmlt.models.losses.base.MultiLabelLoss`, also for
            targets and reduction.
        **kwargs: Other arguments of the same class.

    Raises:
        ValueError: For an unknown mode, or a number out of range.
    """

    can_defer = True

    def __init__(
        self,
        mode: str = 'by_class',
        beta: float = 0.9999,
        focal: dict | None = FOCAL,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(
                f'mode must be one of {sorted(MODES)}, got {mode!r}'
            )
        self.mode = mode
        self.beta = check_beta(beta)
        self.focal = settings('focal', focal, FOCAL)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, Tensor]:
        """Counts and weights (C,), and the mean of the latter, unscaled."""
        count = torch.from_numpy(stats.positive_count()).double()
        weight = inverse_effective_number(count, self.beta)
        mean = weight.mean()
        return {
            'count': count,
            'class_weight': weight / mean,
            'mean_weight': mean,
        }

    def weight(self, target: Tensor) -> Tensor:
        """(1, C) weights of the classes, or (B, 1) of the images."""
        if self.mode == 'by_class':
            return self.class_weight.unsqueeze(0)
        if self.mode == 'average_n':
            # As precise as the weights of the classes.
            count = mean_of_labels(target.double(), self.count.double())
            weight = (
                inverse_effective_number(count, self.beta) / self.mean_weight
            )
            weight = weight.to(target.dtype)
        elif self.mode == 'average_w':
            weight = mean_of_labels(target, self.class_weight)
        else:
            # The rarest has the largest weight.
            weight = (target * self.class_weight).amax(1, keepdim=True)
        return torch.where(target.any(1, keepdim=True), weight, 1.0)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        weight = self.unless_deferred(self.weight(target))
        focal = self.focal or dict(gamma=0.0, balance=1.0)
        loss = focal_bce(cls_score, target, focal['gamma'])
        return focal['balance'] * weight * loss
