"""LDAM for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .focal_log_likelihood import focal_log_likelihood
from .multi_label_loss import MultiLabelLoss, check_number, positive_count


@MODELS.register_module()
class MultiLabelLDAMLoss(MultiLabelLoss):
    r"""Binary cross entropy with label-distribution-aware margins.

    The margins of `LDAM <https://arxiv.org/abs/1906.07413>`_, Eq. 13, with
    independent sigmoids instead of a softmax: the logit of a positive label
    is lowered by the margin of its class, that of a negative label stays.

    .. math::
        BCE(s (z - m_k y), y), \quad m_k \propto n_k^{-1/4}

    A class without training images counts as having one.

    Note:
        ``scale=30`` is meant for cosine logits, from normalised features and
        weights. Over a plain linear layer use ``scale=1``.

    Args:
        max_margin (float): Margin of the rarest class, in logits before
            ``scale``.
        scale (float): ``s``, > 0.
        class_stats (ClassStats | dict | list | str | None): Image counts,
            see :class:`MultiLabelLoss`, also for targets and reduction.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): See :class:`MultiLabelLoss`.

    Raises:
        ValueError: If ``max_margin`` or ``scale`` is out of range.
    """

    def __init__(
        self,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
    ) -> None:
        super().__init__(reduction, loss_weight, use_sigmoid)
        self.max_margin = check_number('max_margin', max_margin)
        self.scale = check_number('scale', scale, positive=True)
        self.register_buffer('margin', torch.zeros(0), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the (C,) margins."""
        count = torch.from_numpy(positive_count(stats)).double()
        margin = self.max_margin * (count.min() / count) ** 0.25
        self.margin = margin.to(self.margin)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return focal_log_likelihood(
            cls_score * self.scale,
            target,
            -self.scale * self.margin.to(cls_score.dtype) * target,
            cls_score.new_full((), -1.0),
        )
