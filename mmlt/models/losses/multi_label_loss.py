"""Base of the multi-label losses. B batch, C classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule

from .logit_adjusted_loss import check_reduction

FOCAL = dict(gamma=2.0, balance=2.0)


class MultiLabelLoss(ClassStatsModule):
    """A sum of binary losses over classes, weighted by class frequency.

    A subclass implements :meth:`element_loss`, or :meth:`weighted_loss` if
    it knows a faster way to the sum, and takes ``class_stats`` as
    :class:`~mmlt.class_stats.receiver.ClassStatsModule` says. For
    multi-label data these need the number of images, as in
    ``dict(image_count=[...], num_images=N)``: a bare list of counts is taken
    for single-label data.

    Targets may be

    - (B, C) of 0, 1 and -1. An entry of -1 is not known (partial labels; the
      mark of mmpretrain's metrics): it adds nothing to the loss.
    - (B,) class indices, for the sigmoid heads of MMDetection: C is the
      background, all of whose labels are negative, and -1 a row that is
      ignored. These heads need ``use_sigmoid=True`` in the loss config.

    Note:
        The reduction ``'mean'`` divides by all B * C entries, unknown ones
        included, as the published code does. mmpretrain's multi-label heads
        pass ``avg_factor=B``, so that the loss there is C times as large:
        ``loss_weight=1 / C`` gives the published scale.

    Args:
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): True; MMDetection's heads read it in the config.

    Raises:
        ValueError: For an unknown reduction or ``use_sigmoid=False``.
    """

    def __init__(
        self,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        if use_sigmoid is not True:
            raise ValueError(
                f'use_sigmoid must be True, got {use_sigmoid!r}: '
                f'{type(self).__name__} is a loss of independent sigmoids'
            )
        self.reduction = reduction
        self.loss_weight = loss_weight
        self.use_sigmoid = use_sigmoid

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """The loss of each entry.

        Args:
            cls_score (Tensor): (B, C) logits, float32 or float64.
            target (Tensor): (B, C) of the same dtype, 0 or 1.

        Returns:
            Tensor: (B, C).
        """
        raise NotImplementedError

    def weighted_loss(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None,
        factor: float,
        total: bool,
    ) -> Tensor:
        """The loss of each entry times its weight, or the sum of these.

        Args:
            cls_score (Tensor): (B, C) logits, float32 or float64.
            target (Tensor): (B, C) of the same dtype, 0 or 1.
            weight (Tensor | None): (B, 1) or (B, C).
            factor (float): Multiplies the result.
            total (bool): Return the sum.

        Returns:
            Tensor: (B, C), or 0-dim for ``total``.
        """
        loss = self.element_loss(cls_score, target)
        if weight is not None:
            loss = loss * weight
        return factor * (loss.sum() if total else loss)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss; ``cls_score`` stays as it is.

        Args:
            cls_score (Tensor): (B, C) raw logits.
            target (Tensor): (B, C) labels 0, 1, -1 (not known), or (B,)
                class indices with C for the background.
            weight (Tensor | None): (B,) or (B, C) weights.
            avg_factor (float | None): Divide the sum by this instead of
                B * C; only with the reduction ``'mean'``.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            Tensor: 0-dim, or (B, C) for the reduction ``'none'``.

        Raises:
            ValueError: If there are no class statistics, if scores, targets
                and statistics do not fit each other, or for ``avg_factor``
                with the reduction ``'sum'``.
        """
        reduction = reduction_override or self.reduction
        if avg_factor is not None and reduction == 'sum':
            raise ValueError(
                f"avg_factor={avg_factor} needs the reduction 'mean'; 'sum' "
                'divides by nothing'
            )
        num_classes = self.image_count.numel()
        if cls_score.dim() != 2 or cls_score.size(1) != num_classes:
            self.check_class_stats()
            raise ValueError(
                f'cls_score has the shape {tuple(cls_score.shape)}, but the '
                f'class statistics hold {num_classes} classes: expected (B, '
                f'{num_classes}); set num_classes of the head (in a detector '
                'also use_sigmoid=True of the loss), or give the statistics '
                'of this data set'
            )
        # Half precision holds neither 1 / n nor the focal factor.
        scores = (
            cls_score.float() if cls_score.element_size() < 4 else cls_score
        )
        labels, known = binary_target(scores, target)
        if weight is not None and weight.dim() == 1:
            weight = weight.unsqueeze(1)
        if known is not None:
            weight = known if weight is None else weight * known
        factor = self.loss_weight
        if reduction == 'mean' and avg_factor is None:
            factor = factor / max(scores.numel(), 1)
        loss = self.weighted_loss(
            scores, labels, weight, factor, total=reduction != 'none'
        )
        if reduction == 'mean' and avg_factor is not None:
            loss = loss / avg_factor
        return loss


def binary_target(
    cls_score: Tensor, target: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Labels of 0 and 1, and which of them are known.

    The values are checked on the CPU only: on an accelerator this would wait
    for the device.

    Args:
        cls_score (Tensor): (B, C) logits.
        target (Tensor): (B, C) of 0, 1, -1, or (B,) class indices.

    Returns:
        tuple: ``labels`` (B, C) in the dtype of ``cls_score``, 0 where not
        known; ``known`` (B, C) or (B, 1) bool, or None if all are.

    Raises:
        ValueError: If the shape or a value is none of these.
    """
    if target.shape == cls_score.shape:
        labels = target.to(cls_score.dtype)
        if target.dtype == torch.bool or _check_labels(labels):
            return labels, None
        return labels.clamp_min(0), target >= 0
    if target.shape != cls_score.shape[:1] or target.is_floating_point():
        raise ValueError(
            f'target has the shape {tuple(target.shape)} and the dtype '
            f'{target.dtype}; cls_score {tuple(cls_score.shape)} needs a '
            '(B, C) matrix of 0, 1 and -1 (not known), or (B,) integer class '
            'indices with C for the background'
        )
    num_classes = cls_score.size(1)
    complete = _check_indices(target, num_classes)
    column = target.unsqueeze(1)
    classes = torch.arange(num_classes, device=target.device)
    labels = (column == classes).to(cls_score.dtype)
    return labels, None if complete else column >= 0


def _check_labels(target: Tensor) -> bool:
    """Whether all labels are known for certain; raises for wrong values."""
    if not _can_look(target):
        return False
    # Of 0 and 1 only; the look at wrong labels is slower.
    if torch.equal(target * target, target):
        return True
    wrong = (target != 0) & (target != 1) & (target != -1)
    if wrong.any():
        raise ValueError(
            f'target holds the label {target[wrong][0].item():g}; labels must '
            'be 0, 1, or -1 for not known'
        )
    return False


def _check_indices(target: Tensor, num_classes: int) -> bool:
    """Whether all rows are known for certain; raises for wrong values."""
    if not _can_look(target):
        return False
    low, high = target.aminmax()
    if low < -1 or high > num_classes:
        raise ValueError(
            f'target holds class indices from {int(low)} to {int(high)}; they '
            f'must lie in [0, {num_classes}), or be {num_classes} for the '
            'background or -1 to be ignored'
        )
    return bool(low >= 0)


def _can_look(target: Tensor) -> bool:
    return (
        target.device.type == 'cpu'
        and target.numel() > 0
        and not torch.compiler.is_compiling()
    )


def positive_count(stats: ClassStats) -> np.ndarray:
    """(C,) images of each class; a class without images counts as one.

    Its labels are all negative in training: it needs a finite weight, and is
    as rare as a class can be.
    """
    return np.maximum(stats.image_count, 1)


def settings(
    name: str, given: dict | None, defaults: dict, positive: tuple = ()
) -> dict | None:
    """Complete the settings of one part of a loss, and check them.

    Args:
        name (str): The argument, for messages.
        given (dict | None): Some of the settings; None turns the part off.
        defaults (dict): All settings.
        positive (tuple[str]): Those that must be > 0; others are >= 0.

    Raises:
        TypeError: If ``given`` is no dict, or a value no number.
        ValueError: For an unknown key, or a number out of range.
    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise TypeError(
            f'{name} must be a dict of {sorted(defaults)} or None (off), got '
            f'{given!r}'
        )
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(
            f'{name} has unknown keys {unknown}; known are {sorted(defaults)}'
        )
    result = {**defaults, **given}
    for key, value in result.items():
        check_number(f"{name}['{key}']", value, key in positive)
    return result


def check_number(name: str, value: Any, positive: bool = False) -> float:
    """``value``; raises unless it is finite and >= 0 (or > 0)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{name} must be a number, got {value!r}')
    if not math.isfinite(value) or value < 0 or (positive and value == 0):
        bound = '> 0' if positive else '>= 0'
        raise ValueError(f'{name} must be finite and {bound}, got {value}')
    return value
