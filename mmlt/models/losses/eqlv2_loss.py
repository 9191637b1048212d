"""Equalization loss v2. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from mmlt.checks import check_number
from mmlt.registry import MODELS

from .base import BoxLoss


@MODELS.register_module()
class EQLv2Loss(BoxLoss):
    r"""Sigmoid loss that balances each class's gradients.

    `Equalization loss v2 <https://arxiv.org/abs/2012.08548>`_, equations 3
    to 6. With the ratio g of the positive to the negative gradients that a
    class has received since the start of training,

    .. math::
        w^- = \frac{1}{1 + e^{-\gamma (g - \mu)}}, \qquad
        w^+ = 1 + \alpha (1 - w^-)

    weigh its negatives and its positives. Column C is "background", weighs
    1, and scales the scores: :math:`p(c) = \sigma(z_c)(1 - \sigma(z_C))`.

    A step with a gradient that is not finite, on any rank, is left out of
    the ratio: one NaN would stay in it for good. Nothing is logged, since
    that would wait for the device; the loss of the step shows it.

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
        **kwargs: ``reduction`` and ``loss_weight`` of
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

    def counters(self) -> dict[str, Tensor]:
        """The gradients of the positives, and of the negatives (2, C)."""
        return {'gradients': torch.zeros(2, self.num_classes)}

    @property
    def num_columns(self) -> int:
        """C + 1."""
        return self.num_classes + 1

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """(R, C + 1) scores."""
        prob = cls_score.sigmoid()
        background = prob[:, -1:]
        return torch.cat([prob[:, :-1] * (1 - background), background], 1)

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """(C,) weights of the positives and of the negatives."""
        positive, negative = self.gradients
        # Before the first step a class counts as balanced, as published.
        ratio = torch.where(negative > 0, positive / (negative + 1e-10), 100.0)
        of_negatives = torch.sigmoid(self.gamma * (ratio - self.mu))
        return 1 + self.alpha * (1 - of_negatives), of_negatives

    def element_weights(self, positive: Tensor) -> Tensor:
        """(R, C + 1) weights of labels 0 and 1."""
        weights = [
            F.pad(each, (0, 1), value=1) for each in self.class_weights()
        ]
        return torch.where(positive > 0, *weights)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        positive = F.one_hot(target, self.num_columns).to(cls_score.dtype)
        return F.binary_cross_entropy_with_logits(
            cls_score,
            positive,
            self.element_weights(positive),
            reduction='none',
        ).sum(dim=1)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """See the base; in training it then counts the gradients."""
        loss = super().forward(
            cls_score, target, weight, avg_factor, reduction_override
        )
        if self.training:
            self._count(cls_score.detach(), target, weight)
        return loss

    def _count(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> None:
        """Add this step's absolute gradients, summed over the ranks."""
        prob = cls_score.to(self.gradients.dtype).sigmoid()
        positive = F.one_hot(target, self.num_columns).to(prob.dtype)
        size = (prob - positive).abs() * self.element_weights(positive)
        if weight is not None:
            size = size * weight.unsqueeze(1)
        both = torch.stack([size * positive, size * (1 - positive)])
        total = both.sum(dim=1)[:, :-1].contiguous()
        all_reduce(total)
        # Behind the sum, so that all ranks decide alike.
        self.gradients += torch.where(total.isfinite().all(), total, 0)
