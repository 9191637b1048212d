"""Focal loss for box heads. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmlt.checks import check_number, check_share
from mmlt.registry import MODELS

from .base import BoxLoss
from .focal_bce import focal_bce


@MODELS.register_module()
class BoxFocalLoss(BoxLoss):
    r"""Focal loss, for box heads that test what they train.

    `Focal loss <https://arxiv.org/abs/1708.02002>`_, Eq. 5, of a sigmoid a
    class:

    .. math::
        L = -\sum_j \alpha_j (1 - p_j)^\gamma \log p_j

    with :math:`p_j = \sigma(z_j)` and :math:`\alpha_j = \alpha` for the
    RoI's class, :math:`\sigma(-z_j)` and :math:`1 - \alpha` for the others.
    The background is the RoI without a positive class; a box has the score
    sigmoid(z).

    Note:
        Over MMDetection's own ``FocalLoss``, box heads test with a softmax,
        and have a column for the background. The heads divide the sum by the
        number of sampled RoIs; the paper divides by that of the foreground.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        gamma (float): Focal exponent, >= 0. Defaults to 2.0.
        alpha (float): Weight of the positives, in [0, 1]; negatives have
            1 - alpha. Defaults to 0.25.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of
            :class:`~mmlt.models.losses.base.BoxLoss`; the mean is that of
            all R * C elements.

    Raises:
        ValueError: If ``gamma``, ``alpha`` or ``reduction`` is out of range.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        gamma: float = 2.0,
        alpha: float = 0.25,
        **kwargs: Any,
    ) -> None:
        self.gamma = check_number('gamma', gamma)
        self.alpha = check_share('alpha', alpha)
        super().__init__(num_classes, **kwargs)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        positive = self.positives(target)
        weight = torch.where(positive, self.alpha, 1 - self.alpha)
        positive = positive.to(cls_score.dtype)
        return weight * focal_bce(cls_score, positive, self.gamma)
