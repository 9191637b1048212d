"""Equalization loss v2. R RoIs, C classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor, nn

from mmlt.registry import MODELS

from .box_scores import check_labels, check_num_classes, class_accuracy
from .logit_adjusted_loss import check_reduction


@MODELS.register_module()
class EQLv2Loss(nn.Module):
    r"""Sigmoid loss that balances each class's gradients.

    `Equalization loss v2 <https://arxiv.org/abs/2012.08548>`_, equations 3
    to 6. With the ratio g of the positive to the negative gradients that a
    class has received since the start of training,

    .. math::
        w^- = \frac{1}{1 + e^{-\gamma (g - \mu)}}, \qquad
        w^+ = 1 + \alpha (1 - w^-)

    weigh its negatives and its positives. Column C is "background", weighs
    1, and scales the scores: :math:`p(c) = \sigma(z_c)(1 - \sigma(z_C))`.

    Note:
        MMDetection's ``EQLV2Loss`` trains the same sigmoids but its box
        heads test them with a softmax, sums the gradients over the ranks
        only on request, and ignores the weights of the RoIs.

    Args:
        num_classes (int): Number of classes C, without the background.
        gamma (float): Steepness. Defaults to 12.0.
        mu (float): The ratio at which negatives weigh a half. Defaults to
            0.8.
        alpha (float): What a positive gains at most. Defaults to 4.0.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'`` over the RoIs.
        loss_weight (float): Weight of the loss.
    """

    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        num_classes: int,
        gamma: float = 12.0,
        mu: float = 0.8,
        alpha: float = 4.0,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.num_classes = num_classes
        self.gamma = gamma
        self.mu = mu
        self.alpha = alpha
        self.reduction = reduction
        self.loss_weight = loss_weight
        # Row 0 of the positives, row 1 of the negatives; for resuming, too.
        self.register_buffer('gradients', torch.zeros(2, num_classes))

    def get_cls_channels(self, num_classes: int) -> int:
        """Columns of the classifier: C + 1."""
        check_num_classes(self, num_classes)
        return num_classes + 1

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """(R, C + 1) scores."""
        prob = cls_score.sigmoid()
        background = prob[:, -1:]
        return torch.cat([prob[:, :-1] * (1 - background), background], 1)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict:
        """See :func:`~mmlt.models.losses.box_scores.class_accuracy`."""
        return class_accuracy(cls_score[:, :-1], labels)

    def class_weights(self) -> tuple[Tensor, Tensor]:
        """(C,) weights of the positives and of the negatives."""
        positive, negative = self.gradients
        # Before the first step a class counts as balanced, as published.
        ratio = torch.where(negative > 0, positive / (negative + 1e-10), 100.0)
        of_negatives = torch.sigmoid(self.gamma * (ratio - self.mu))
        return 1 + self.alpha * (1 - of_negatives), of_negatives

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss, summed over the classes; count the gradients.

        Args:
            cls_score (Tensor): (R, C + 1) logits.
            target (Tensor): (R,) labels, C for the background.
            weight (Tensor | None): (R,) weight of each RoI.
            avg_factor (float | None): Divide the sum by this instead of R.
            reduction_override (str | None): Instead of ``reduction``.
        """
        check_labels(cls_score, target, self.num_classes + 1)
        positive = F.one_hot(target, self.num_classes + 1)
        positive = positive.to(self.gradients.dtype)
        weights = [
            F.pad(each, (0, 1), value=1) for each in self.class_weights()
        ]
        weights = torch.where(positive > 0, *weights)
        losses = F.binary_cross_entropy_with_logits(
            cls_score.to(positive.dtype), positive, weights, reduction='none'
        )
        if self.training:
            if weight is not None:
                weights = weights * weight.unsqueeze(1)
            self._collect(cls_score.detach(), positive, weights)
        return self.loss_weight * weight_reduce_loss(
            losses.sum(dim=1),
            weight,
            reduction_override or self.reduction,
            avg_factor,
        )

    def _collect(self, scores: Tensor, positive: Tensor, weights: Tensor):
        """Add this step's absolute gradients, summed over the ranks."""
        size = (scores.sigmoid() - positive).abs() * weights
        both = torch.stack([size * positive, size * (1 - positive)])
        total = both.sum(dim=1)[:, :-1].contiguous()
        all_reduce(total)
        self.gradients += total
