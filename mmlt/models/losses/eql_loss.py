"""Equalization loss. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from mmlt.checks import check_share
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import BoxLoss


@MODELS.register_module()
class EQLLoss(BoxLoss):
    r"""Sigmoid loss that spares rare classes the negatives of others.

    `Equalization loss <https://arxiv.org/abs/2003.05176>`_, Eq. 3 and 4:

    .. math::
        L = \sum_j w_j \, \mathrm{BCE}(z_j, y_j), \qquad
        w_j = 1 - E(r) \, T(f_j) \, (1 - y_j)

    with E(r) = 1 for foreground RoIs and T(f) = 1 for classes in less than
    the share ``frequency`` of the training images. The background is the RoI
    without a positive class; a box has the score sigmoid(z).

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        frequency (float): lambda, a share of the images. Defaults to 1.1e-3
            (LVIS v1); 1.76e-3 is the published value for LVIS v0.5.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`~mmlt.models.losses.base.BoxLoss`.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of the
            same class; the mean is that of the RoIs.

    Raises:
        ValueError: If ``frequency`` is no share, or the statistics have
            another number of classes.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        frequency: float = 1.1e-3,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.frequency = check_share('frequency', frequency)
        super().__init__(num_classes, class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Which classes are rare, (C,) bool."""
        rare = stats.image_count < self.frequency * stats.num_images
        return {'rare': rare}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        foreground = (target < self.num_classes).unsqueeze(1)
        spared = foreground & self.rare & ~self.positives(target)
        losses = self.bce(cls_score, target)
        return losses.masked_fill(spared, 0).sum(dim=1)
