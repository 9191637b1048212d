"""Equalized focal loss. R anchors, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number, check_share
from mmlt.registry import MODELS

from .base import GradientRatioLoss
from .focal_bce import focal_bce


@MODELS.register_module()
class EFLLoss(GradientRatioLoss):
    r"""Focal loss whose focus follows each class's gradients.

    `Equalized focal loss <https://arxiv.org/abs/2201.02593>`_, equations 3
    to 5, for dense heads:

    .. math::
        L = -\sum_j \alpha_j \frac{\gamma_j}{\gamma_b}
        (1 - p_j)^{\gamma_j} \log p_j, \qquad
        \gamma_j = \gamma_b + s (1 - g_j)

    with :math:`p_j` and :math:`\alpha_j` of the focal loss, see
    :class:`~mmlt.models.losses.BoxFocalLoss`, and the ratio g of the positive
    to the negative gradients that a class has received since the start of
    training, in [0, 1]. A class whose negatives prevail, a rare one, gets a
    larger exponent, hence spares easy samples more, and the factor makes up
    for what the hard ones lose by it. With s = 0 it is the focal loss.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            a dense head needs it.
        gamma (float): gamma_b, the focal exponent of a class in balance, > 0.
            Defaults to 2.0.
        scale (float): s, >= 0. Defaults to 8.0.
        alpha (float): Weight of the positives, in [0, 1]; negatives have
            1 - alpha. Defaults to 0.25.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of
            :class:`~mmlt.models.losses.base.BoxLoss`; the mean is that of
            the anchors.

    Raises:
        TypeError: If a number is none.
        ValueError: If one is out of range.

    Example:
        >>> loss_cls = dict(
        ...     type='mmlt.EFLLoss', use_sigmoid=True, num_classes=1203)
    """

    def __init__(
        self,
        num_classes: int | None = None,
        gamma: float = 2.0,
        scale: float = 8.0,
        alpha: float = 0.25,
        **kwargs: Any,
    ) -> None:
        self.gamma = check_number('gamma', gamma, positive=True)
        self.scale = check_number('scale', scale)
        self.alpha = check_share('alpha', alpha)
        super().__init__(num_classes, **kwargs)

    def focus(self) -> Tensor:
        """(C,) exponents gamma_j."""
        return self.gamma + self.scale * (1 - self.ratio.clamp(max=1))

    def element_weights(self, positive: Tensor) -> Tensor:
        """(R, C) alpha_j gamma_j / gamma_b."""
        alpha = torch.where(positive, self.alpha, 1 - self.alpha)
        return alpha * self.focus() / self.gamma

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        positive = self.positives(target)
        focal = focal_bce(
            cls_score, positive.to(cls_score.dtype), self.focus()
        )
        return (self.element_weights(positive) * focal).sum(dim=1)

    def gradient_size(self, cls_score: Tensor, positive: Tensor) -> Tensor:
        # With x = z of positives, -z of negatives, and p = sigmoid(x):
        # d/dx (1 - p)^gamma log p = (1 - p)^gamma (1 - p - gamma p log p).
        x = torch.where(positive, cls_score, -cls_score)
        wrong, focus = (-x).sigmoid(), self.focus()
        slope = wrong - focus * x.sigmoid() * F.logsigmoid(x)
        return self.element_weights(positive) * wrong**focus * slope
