"""Logit-adjusted softmax cross entropy. B batch, C classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule
from mmlt.registry import MODELS

from .first_order import first_order


def log_prior(
    stats: ClassStats,
    by: str = 'image',
    zero_count: str = 'error',
    background: str | float = 'mean',
) -> Tensor:
    """Log class prior, relative to that of the background.

    ``log pi_k - log pi_bg``. Over the classes alone the constant
    ``log pi_bg`` has no effect on a softmax. Beside a background column,
    which never changes, it decides how the foreground as a whole moves.

    Args:
        stats (ClassStats): Class statistics.
        by (str): ``'image'`` or ``'instance'`` counts.
        zero_count (str): What to do with a class that the training set
            lacks: ``'error'`` or ``'one'`` (count it as one).
        background (str | float): The prior ``pi_bg``: ``'mean'`` (1/C, so
            that balanced classes change nothing), ``'sum'`` (1, the formula
            as it is for classification), or a positive number.

    Returns:
        Tensor: (C,) float64.

    Raises:
        ValueError: For a zero count, under ``'error'``, and for an unknown
            policy.
    """
    count = stats.count(by)
    if zero_count not in ('error', 'one'):
        raise ValueError(
            f"zero_count must be 'error' or 'one', got {zero_count!r}"
        )
    empty = np.flatnonzero(count == 0)
    if empty.size and zero_count == 'error':
        names = [stats.classes[k] if stats.classes else int(k) for k in empty]
        raise ValueError(
            f'class_stats: {empty.size} classes have no training '
            f'{by} (first: {names[:5]}), so their log prior is infinite; '
            "zero_count='one' counts each of them as one, or remove them"
        )
    count = np.maximum(count, 1)
    priors = {'mean': 1 / len(count), 'sum': 1.0}
    prior = priors.get(background, background)
    if isinstance(prior, str) or not (math.isfinite(prior) and prior > 0):
        raise ValueError(
            "background must be 'mean', 'sum' or a positive prior, got "
            f'{background!r}'
        )
    return torch.from_numpy(np.log(count / count.sum()) - np.log(prior))


def with_background(values: Tensor, num_columns: int, fill: float) -> Tensor:
    """Append ``fill`` for the background, if the scores have its column.

    Args:
        values (Tensor): (C,) one value a class.
        num_columns (int): Columns of the scores: C, or C + 1 with the
            background last, as in MMDetection.
        fill (float): The background's value.

    Raises:
        ValueError: If the scores have another number of columns.
    """
    if num_columns == len(values):
        return values
    if num_columns != len(values) + 1:
        raise ValueError(
            f'cls_score has {num_columns} columns, but the class statistics '
            f'hold {len(values)} classes: expected {len(values)}, or '
            f'{len(values) + 1} with the background last; set num_classes of '
            'the head, or give the statistics of this data set'
        )
    return F.pad(values, (0, 1), value=fill)


def check_target(cls_score: Tensor, target: Tensor) -> None:
    """Raise for targets that do not fit the scores.

    The values are looked at on the CPU only: on an accelerator this would
    wait for the device, and its cross entropy reports them by itself.

    Raises:
        ValueError: If a target is out of range or of the wrong shape.
    """
    if target.dim() == 2 and target.shape == cls_score.shape:
        return
    if target.shape != cls_score.shape[:1]:
        raise ValueError(
            f'target has the shape {tuple(target.shape)}; cls_score '
            f'{tuple(cls_score.shape)} needs (B,) labels or (B, C) scores'
        )
    if target.device.type != 'cpu' or torch.compiler.is_compiling():
        return
    if target.numel():
        low, high = target.aminmax()
        if low < 0 or high >= cls_score.size(1):
            raise ValueError(
                f'target holds labels from {int(low)} to {int(high)}; they '
                f'must lie in [0, {cls_score.size(1)})'
            )


class _OffsetCrossEntropy(torch.autograd.Function):
    """Cross entropy of ``scores + offset`` against (B,) labels.

    Beside ``F.cross_entropy(scores + offset)`` this keeps one (B, C) tensor
    fewer alive and passes over memory less often, which pays for the sum.
    """

    @staticmethod
    def forward(ctx, scores: Tensor, target: Tensor, offset: Tensor):
        label = target.unsqueeze(1)
        adjusted = scores + offset
        own = adjusted.gather(1, label)
        peak = adjusted.amax(dim=1, keepdim=True)
        # In place: allocating another (B, C) costs as much as the exponential.
        exponential = adjusted.sub_(peak).exp_()
        total = exponential.sum(dim=1, keepdim=True)
        ctx.save_for_backward(exponential, total, label)
        return (total.log() + peak - own).squeeze(1)

    @staticmethod
    @first_order
    def backward(ctx, grad: Tensor):
        exponential, total, label = ctx.saved_tensors
        grad = grad.unsqueeze(1)
        grad_scores = exponential * (grad / total)
        return grad_scores.scatter_add_(1, label, -grad), None, None


def logit_adjusted_loss(
    cls_score: Tensor, target: Tensor, offset: Tensor
) -> Tensor:
    """Softmax cross entropy of ``z + offset``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 10, with
    ``offset = tau * log pi``.

    Args:
        cls_score (Tensor): (B, C) logits ``z``.
        target (Tensor): (B,) labels, or (B, C) label distributions.
        offset (Tensor): (C,).

    Returns:
        Tensor: (B,) losses.
    """
    if target.dim() == 2:
        return F.cross_entropy(cls_score + offset, target, reduction='none')
    if cls_score.element_size() < 4:
        # As autocast does for the stock cross entropy.
        cls_score = cls_score.float()
    return _OffsetCrossEntropy.apply(cls_score, target, offset)


@MODELS.register_module()
class LogitAdjustedLoss(ClassStatsModule):
    """Cross entropy of ``z + tau * log pi``, evaluated on the raw ``z``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 10. Use either this loss or
    post-hoc adjustment (:mod:`mmlt.models.posthoc.edits`), never both.

    In a detection head (C + 1 columns) the background column is not touched.

    Args:
        tau (float): Scale of the log prior. Defaults to 1.0.
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`. Defaults to None:
            the hook or the checkpoint gives them.
        by (str): Prior from ``'image'`` or ``'instance'`` counts.
        zero_count (str): ``'error'`` or ``'one'``, see :func:`log_prior`.
        background (str | float): ``'mean'``, ``'sum'`` or a prior, see
            :func:`log_prior`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.

    Raises:
        ValueError: If ``tau`` is not finite or a policy is unknown.
    """

    def __init__(
        self,
        tau: float = 1.0,
        class_stats: Any = None,
        by: str = 'image',
        zero_count: str = 'error',
        background: str | float = 'mean',
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not math.isfinite(tau):
            raise ValueError(
                f'tau must be finite, got {tau}; 1.0 is the consistent choice'
            )
        check_reduction(reduction)
        self.tau = tau
        self.by = by
        self.zero_count = zero_count
        self.background = background
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.register_buffer('offset', torch.zeros(0), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep ``tau * log pi``, (C,)."""
        offset = self.tau * log_prior(
            stats, self.by, self.zero_count, self.background
        )
        self.offset = offset.to(self.offset)

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
            cls_score (Tensor): (B, C) raw logits, or (B, C + 1) with the
                background last.
            target (Tensor): (B,) labels, or distributions over the columns
                (mixup, label smoothing).
            weight (Tensor | None): (B,) weight of each sample.
            avg_factor (float | None): Divide the sum by this instead of B.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            Tensor: 0-dim, or (B,) for the reduction ``'none'``.
        """
        self.check_class_stats()
        check_target(cls_score, target)
        offset = with_background(self.offset, cls_score.size(1), 0.0)
        loss = logit_adjusted_loss(cls_score, target, offset)
        reduction = reduction_override or self.reduction
        return self.loss_weight * weight_reduce_loss(
            loss, weight, reduction, avg_factor
        )


def check_reduction(reduction: str) -> None:
    """Raise unless ``reduction`` is ``'none'``, ``'mean'`` or ``'sum'``."""
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(
            f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
        )
