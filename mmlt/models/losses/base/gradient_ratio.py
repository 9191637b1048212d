"""Base of losses that balance gradients. R RoIs, C classes, K columns."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from .boxes import BoxLoss
from .element import in_full_precision

# That of a class before its first negative gradient, as published.
BALANCED = 100.0


class GradientRatioLoss(BoxLoss):
    """Base of the losses that weigh by the gradients of each class so far.

    The gradients of the logits are summed in absolute value over RoIs, ranks
    and steps, those of positives and those of negatives apart. A subclass
    writes ``gradient_size(cls_score, positive)``.

    A step with a gradient that is not finite, on any rank, is left out: one
    NaN would stay in the sums for good. Nothing is logged, since that would
    wait for the device; the loss of the step shows it.

    Note:
        Heads that compute the loss of each level of the pyramid by itself
        (RetinaNet, ATSS) add one level after the other.

    Args:
        num_classes (int | None): See :class:`BoxLoss`, also for the rest.
    """

    def counters(self) -> dict[str, Tensor]:
        """The gradients of the positives, and of the negatives (2, C)."""
        return {'gradients': torch.zeros(2, self.num_classes)}

    @property
    def ratio(self) -> Tensor:
        """(C,) gradients of positives by those of negatives: g."""
        positive, negative = self.gradients
        return torch.where(
            negative > 0, positive / (negative + 1e-10), BALANCED
        )

    def gradient_size(self, cls_score: Tensor, positive: Tensor) -> Tensor:
        """Absolute gradient of each element, by its logit.

        Args:
            cls_score (Tensor): (R, K) logits.
            positive (Tensor): (R, K) bool.

        Returns:
            Tensor: (R, K).
        """
        raise NotImplementedError

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """See the base; in training it then counts the gradients.

        They are those before ``avg_factor`` divides.
        """
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
        positive = self.positives(target)
        scores = in_full_precision(cls_score)
        size = self.gradient_size(scores, positive)
        if weight is not None:
            size = size * weight.unsqueeze(1)
        both = torch.stack(
            [
                size.masked_fill(~positive, 0).sum(dim=0),
                size.masked_fill(positive, 0).sum(dim=0),
            ]
        )
        total = both[:, : self.num_classes].to(self.gradients).contiguous()
        all_reduce(total)
        # Behind the sum, so that all ranks decide alike.
        self.gradients += torch.where(total.isfinite().all(), total, 0)
