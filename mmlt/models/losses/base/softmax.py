"""Base of the losses on softmax logits. B batch, C classes, K columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_share
from mmlt.class_stats import ClassStats

from ..checks import check_distributions, check_range
from ..class_weights import (
    check_beta,
    check_class_weight,
    check_num_weights,
    class_weights,
)
from .element import ElementLoss


class SoftmaxLoss(ElementLoss):
    """Base of the losses on softmax logits.

    Logits are (B, C), or (B, C + 1) in a detector of MMDetection, with the
    background last. Targets are (B,) labels, or (B, K) distributions over
    the columns (mixup, label smoothing). ``element_loss`` returns (B,) and is
    linear in the target: a distribution has the mean loss of its classes.

    Args:
        class_stats (ClassStats | dict | list | str | None): See
            :class:`ElementLoss`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        class_weight (str | Sequence[float] | None): Weight of each label:
            ``'inverse'``, ``'inverse_sqrt'`` or ``'effective_number'``, see
            :func:`~mmlt.models.losses.class_weights.class_weights`, or (C,)
            numbers >= 0, taken as they are. The background of a detector has
            the weight 1. Defaults to None: all have.
        beta (float): Of ``'effective_number'``, in [0, 1).
        average (str): What the mean is over: ``'samples'``, as in the
            libraries of OpenMMLab, or ``'weights'``, as in PyTorch: the
            weights of the labels are divided by their mean over the batch.
        label_smoothing (float): Share of each label that is spread evenly
            over all columns, in [0, 1]. Defaults to 0.

    Raises:
        TypeError: If ``class_weight`` or ``beta`` is of another type.
        ValueError: For an unknown name, or a number out of range.
    """

    # MMDetection's heads of queries (DETR) ask.
    use_sigmoid = False

    def __init__(
        self,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.9999,
        average: str = 'samples',
        label_smoothing: float = 0.0,
    ) -> None:
        if average not in ('samples', 'weights'):
            raise ValueError(
                f"average must be 'samples' or 'weights', got {average!r}"
            )
        self.class_weight = check_class_weight(class_weight)
        self.beta = check_beta(beta)
        self.average = average
        self.label_smoothing = check_share('label_smoothing', label_smoothing)
        super().__init__(None, reduction, loss_weight)
        if isinstance(self.class_weight, list):
            given = torch.tensor(self.class_weight, dtype=torch.float32)
            self.register_buffer('label_weight', given, persistent=False)
        # Last, since they have to have as many classes as there are weights.
        self.init_class_stats(class_stats)

    @property
    def can_defer(self) -> bool:
        """Whether it has class weights."""
        return self.class_weight is not None

    @property
    def needs_class_stats(self) -> bool:
        """Whether it raises without class statistics."""
        # Not by super(), which torch.compile does not follow to a property.
        has_tables = type(self).tables is not ElementLoss.tables
        return has_tables or isinstance(self.class_weight, str)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the tables, and the weights of the labels."""
        kind = self.class_weight
        if isinstance(kind, list):
            check_num_weights(kind, stats.num_classes)
        super().on_class_stats(stats)
        if isinstance(kind, str):
            self.keep_table('label_weight', self.weights_of_classes(stats))

    def weights_of_classes(self, stats: ClassStats) -> Tensor:
        """(C,) weights by the name of ``class_weight``."""
        return class_weights(stats, self.class_weight, self.beta)

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Smooth and weigh labels; a distribution takes the weights itself."""
        labels = target
        if self.label_smoothing:
            target = smoothed(target, cls_score, self.label_smoothing)
        if self.class_weight is None:
            return target, weight
        of_class = with_background(self.label_weight, cls_score.size(1), 1.0)
        of_class = self.unless_deferred(of_class)
        weight = torch.ones_like(cls_score[:, 0]) if weight is None else weight
        if labels.dim() == 1:
            of_sample = of_class[labels]
        else:
            of_sample = (labels * of_class).sum(dim=1)
        if target.dim() == 1:
            weighted = weight * of_sample
        else:
            target = target * of_class
            weighted = weight
        if self.average == 'weights':
            total = (weight * of_sample).sum()
            tiny = torch.finfo(total.dtype).tiny
            weighted = weighted * weight.sum() / total.clamp_min(tiny)
        return target, weighted

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise unless these are labels or distributions."""
        soft = target.dim() == 2 and target.shape == cls_score.shape
        if not soft and target.shape != cls_score.shape[:1]:
            raise ValueError(
                f'target has the shape {tuple(target.shape)}; cls_score '
                f'{tuple(cls_score.shape)} needs (B,) labels or (B, C) scores'
            )

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for a label without a column, or several labels a row."""
        columns = cls_score.size(1)
        if target.dim() == 1:
            check_range(target, 0, columns - 1, f'[0, {columns})')
        else:
            check_distributions(target)


def smoothed(target: Tensor, cls_score: Tensor, share: float) -> Tensor:
    """``(1 - share) * target + share / K``, as (B, K) distributions.

    `Inception v3 <https://arxiv.org/abs/1512.00567>`_, section 7.

    Args:
        target (Tensor): (B,) labels, or (B, K) distributions.
        cls_score (Tensor): (B, K) logits.
        share (float): What is spread over the columns, in [0, 1].
    """
    if target.dim() == 1:
        ones = torch.ones_like(cls_score[:, :1])
        zeros = torch.zeros_like(cls_score)
        target = zeros.scatter(1, target.unsqueeze(1), ones)
    return (1 - share) * target + share / cls_score.size(1)


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
    extra = num_columns - len(values)
    if extra not in (0, 1):
        raise ValueError(
            f'cls_score has {num_columns} columns, but the class statistics '
            f'hold {len(values)} classes: expected {len(values)}, or '
            f'{len(values) + 1} with the background last; set num_classes of '
            'the head, or give the statistics of this data set'
        )
    return F.pad(values, (0, extra), value=fill)
