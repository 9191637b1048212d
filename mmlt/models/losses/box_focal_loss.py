"""Focal loss for box heads. R RoIs, C classes."""

from __future__ import annotations

from mmdet.models.losses import FocalLoss
from torch import Tensor

from mmlt.registry import MODELS

from .box_scores import SigmoidBoxLoss, check_labels
from .logit_adjusted_loss import check_reduction
from .multi_label_loss import check_number


@MODELS.register_module()
class BoxFocalLoss(SigmoidBoxLoss, FocalLoss):
    r"""MMDetection's focal loss, for box heads that test what they train.

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
        num_classes (int): Number of classes C, without the background.
        gamma (float): Focal exponent, >= 0. Defaults to 2.0.
        alpha (float): Weight of the positives, in [0, 1]; negatives have
            1 - alpha. Defaults to 0.25.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.

    Raises:
        ValueError: If ``gamma``, ``alpha`` or ``reduction`` is out of range.
    """

    def __init__(
        self,
        num_classes: int,
        gamma: float = 2.0,
        alpha: float = 0.25,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        check_reduction(reduction)
        check_number('gamma', gamma)
        if check_number('alpha', alpha) > 1:
            raise ValueError(f'alpha must be in [0, 1], got {alpha}')
        super().__init__(
            gamma=gamma,
            alpha=alpha,
            reduction=reduction,
            loss_weight=loss_weight,
        )
        self.num_classes = num_classes

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score (Tensor): (R, C) logits.
            target (Tensor): (R,) labels, C for the background.
            weight (Tensor | None): (R,) weight of each RoI.
            avg_factor (float | None): Divide the sum over RoIs and classes
                by this instead of R * C.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            Tensor: 0-dim, or (R, C) for the reduction ``'none'``.
        """
        check_labels(cls_score, target, self.num_classes)
        # A sum over all classes may be beyond half precision.
        scores = (
            cls_score.float() if cls_score.element_size() < 4 else cls_score
        )
        return super().forward(
            scores, target, weight, avg_factor, reduction_override
        )
