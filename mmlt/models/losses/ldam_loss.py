"""Label-distribution-aware margins on a softmax. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import SoftmaxLoss, with_background
from .pairwise_margin_loss import pairwise_margin_loss


def ldam_margins(stats: ClassStats, max_margin: float) -> np.ndarray:
    """(C,) ``m_k``, proportional to ``n_k^(-1/4)``, the largest given.

    `LDAM <https://arxiv.org/abs/1906.07413>`_, Eq. 13. A class without
    training images counts as having one.
    """
    count = stats.positive_count()
    return max_margin * (count.min() / count) ** 0.25


@MODELS.register_module()
class LDAMLoss(SoftmaxLoss):
    r"""Cross entropy in which a label has to win by a margin.

    `LDAM <https://arxiv.org/abs/1906.07413>`_, Eq. 12:
    ``CE(s (z - m_y e_y), y)`` with cosine logits ``z``, those of a
    ``mmlt.CosineClsHead``. LDAM-DRW has ``class_weight='effective_number'``
    and a ``mmlt.DeferredReweightHook``.

    Args:
        max_margin (float): Margin of the rarest class, in cosines. Defaults
            to 0.5; 0.3 for iNaturalist.
        scale (float): ``s``, > 0. Defaults to 30.0.
        **kwargs: Arguments of :class:`~mmlt.models.losses.base.SoftmaxLoss`.

    Raises:
        TypeError: If one of them is no number.
        ValueError: If one of them is out of range.
    """

    def __init__(
        self, max_margin: float = 0.5, scale: float = 30.0, **kwargs: Any
    ) -> None:
        self.max_margin = check_number('max_margin', max_margin)
        self.scale = check_number('scale', scale, positive=True)
        super().__init__(**kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """``m`` (C,)."""
        return {'margin': ldam_margins(stats, self.max_margin)}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        margin = with_background(self.margin, cls_score.size(1), 0.0)
        # The same margin to all rivals.
        return pairwise_margin_loss(
            self.scale * cls_score,
            target,
            alpha=torch.ones_like(margin),
            label_margin=self.scale * margin,
            rival_margin=torch.zeros_like(margin),
        )
