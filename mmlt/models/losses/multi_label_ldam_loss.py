"""LDAM for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.models.checks import check_number
from mmlt.registry import MODELS

from .base import MultiLabelLoss
from .ldam_loss import ldam_margins


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
            see :class:`~mmlt.models.losses.base.MultiLabelLoss`, also for
            targets and reduction.
        **kwargs: Other arguments of the same class.

    Raises:
        ValueError: If ``max_margin`` or ``scale`` is out of range.
    """

    def __init__(
        self,
        max_margin: float = 0.5,
        scale: float = 30.0,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.max_margin = check_number('max_margin', max_margin)
        self.scale = check_number('scale', scale, positive=True)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Margins (C,)."""
        return {'margin': ldam_margins(stats, self.max_margin)}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            self.scale * (cls_score - self.margin * target),
            target,
            reduction='none',
        )
