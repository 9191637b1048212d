"""LDAM for multi-label data. B batch, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import MultiLabelLoss
from .class_weights import (
    check_beta,
    check_class_weight,
    check_num_weights,
    class_weights,
)
from .ldam_loss import ldam_margins


@MODELS.register_module()
class MultiLabelLDAMLoss(MultiLabelLoss):
    r"""Binary cross entropy with label-distribution-aware margins.

    The margins of `LDAM <https://arxiv.org/abs/1906.07413>`_, Eq. 13, with
    independent sigmoids instead of a softmax: the logit of a positive label
    is lowered by the margin of its class, that of a negative label stays.

    .. math::
        BCE(s (z - m_k y), y), \quad m_k \propto n_k^{-1/4}

    A class without training images counts as having one. With
    ``class_weight`` and ``mmlt.DeferredReweightHook`` it is LDAM-DRW.

    Note:
        ``scale=30`` is meant for cosine logits, from normalised features and
        weights. Over a plain linear layer use ``scale=1``.

    Args:
        max_margin (float): Margin of the rarest class, in logits before
            ``scale``.
        scale (float): ``s``, > 0.
        class_weight (str | Sequence[float] | None): Weight of both labels of
            a class: ``'inverse'``, ``'inverse_sqrt'`` or
            ``'effective_number'``, see
            :func:`~mmlt.models.losses.class_weights.class_weights`, or (C,)
            numbers >= 0, taken as they are. Defaults to None: all have 1.
        beta (float): Of ``'effective_number'``, in [0, 1).
        class_stats (ClassStats | dict | list | str | None): Image counts,
            see :class:`~mmlt.models.losses.base.MultiLabelLoss`, also for
            targets and reduction.
        **kwargs: Other arguments of the same class.

    Raises:
        TypeError: If an argument is of another type.
        ValueError: If ``max_margin``, ``scale``, ``beta`` or a weight is out
            of range, or there are not as many weights as classes.
    """

    def __init__(
        self,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.9999,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.max_margin = check_number('max_margin', max_margin)
        self.scale = check_number('scale', scale, positive=True)
        self.class_weight = check_class_weight(class_weight)
        self.beta = check_beta(beta)
        super().__init__(class_stats, **kwargs)

    @property
    def can_defer(self) -> bool:
        """Whether it has class weights."""
        return self.class_weight is not None

    def tables(self, stats: ClassStats) -> dict[str, Any]:
        """Margins and weights (C,)."""
        kind, ones = self.class_weight, [1.0] * stats.num_classes
        if isinstance(kind, str):
            weight = class_weights(stats, kind, self.beta)
        else:
            weight = check_num_weights(kind or ones, stats.num_classes)
        return {
            'margin': ldam_margins(stats, self.max_margin),
            'label_weight': weight,
        }

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            self.scale * (cls_score - self.margin * target),
            target,
            self.unless_deferred(self.label_weight),
            reduction='none',
        )
