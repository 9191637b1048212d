"""Equalization loss v2. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number
from mmlt.registry import MODELS

from .base import GradientRatioLoss


@MODELS.register_module()
class EQLv2Loss(GradientRatioLoss):
    r"""Sigmoid loss that balances each class's gradients.

    `Equalization loss v2 <https://arxiv.org/abs/2012.08548>`_, equations 3
    to 6. With the ratio g of the positive to the negative gradients that a
    class has received since the start of training,

    .. math::
        w^- = \frac{1}{1 + e^{-\gamma (g - \mu)}}, \qquad
        w^+ = 1 + \alpha (1 - w^-)

    weigh its negatives and its positives. Column C is "background", weighs
    1, and scales the scores: :math:`p(c) = \sigma(z_c)(1 - \sigma(z_C))`. A
    dense head does without it.

    Note:
        MMDetection's ``EQLV2Loss`` trains the same sigmoids but its box
        heads test them with a softmax, sums the gradients over the ranks
        only on request, and ignores the weights of the RoIs.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        gamma (float): Steepness, >= 0. Defaults to 12.0.
        mu (float): The ratio at which negatives weigh a half, >= 0. Defaults
            to 0.8.
        alpha (float): What a positive gains at most, >= 0. Defaults to 4.0.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of
            :class:`~mmlt.models.losses.base.BoxLoss`; the mean is that of
            the RoIs.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        gamma: float = 12.0,
        mu: float = 0.8,
        alpha: float = 4.0,
        **kwargs: Any,
    ) -> None:
        self.gamma = check_number('gamma', gamma)
        self.mu = check_number('mu', mu)
        self.alpha = check_number('alpha', alpha)
        super().__init__(num_classes, **kwargs)

    @property
    def num_columns(self) -> int:
        """C + 1, or C in a dense head."""
        return self.num_classes + (not self.use_sigmoid)

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """(R, C + 1) scores."""
        prob = cls_score.sigmoid()
        background = prob[:, -1:]
        return torch.cat([prob[:, :-1] * (1 - background), background], 1)

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """(C,) weights of the positives and of the negatives."""
        of_negatives = torch.sigmoid(self.gamma * (self.ratio - self.mu))
        return 1 + self.alpha * (1 - of_negatives), of_negatives

    def element_weights(self, positive: Tensor) -> Tensor:
        """(R, K) weights of positive and negative elements."""
        extra = self.num_columns - self.num_classes
        weights = [
            F.pad(each, (0, extra), value=1) for each in self.class_weights()
        ]
        return torch.where(positive, *weights)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        weight = self.element_weights(self.positives(target))
        return (weight * self.bce(cls_score, target)).sum(dim=1)

    def gradient_size(self, cls_score: Tensor, positive: Tensor) -> Tensor:
        error = (cls_score.sigmoid() - positive.to(cls_score.dtype)).abs()
        return error * self.element_weights(positive)
