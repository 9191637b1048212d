"""Seesaw loss of sigmoids. R anchors, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number
from mmlt.registry import MODELS

from .base import BoxLoss
from .seesaw_loss import add_labels, log_factors


@MODELS.register_module()
class SigmoidSeesawLoss(BoxLoss):
    r"""Binary cross entropy that spares rare classes as Seesaw loss does.

    The factors of `Seesaw loss <https://arxiv.org/abs/2008.10032>`_, where a
    head has sigmoids and no background. In the published softmax the factor
    S multiplies :math:`e^{z_j}` of the negatives; so it does here, of an
    anchor of the class i:

    .. math::
        L = -\log \sigma(z_i) -
        \sum_{j \ne i} \log \big(1 - \sigma(z_j + \log S_{ij})\big)

    with S of :func:`~mmlt.models.losses.seesaw_loss` from the sigmoids. An
    anchor of the background has no class i to compare with: S = 1 there, so
    that most negatives of a dense head are those of binary cross entropy.
    The transfer is ours, not the paper's.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        p (float): Of the mitigation factor, >= 0. Defaults to 0.8.
        q (float): Of the compensation factor, >= 0. Defaults to 2.0.
        eps (float): Least score of the label, > 0. Defaults to 0.01.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of
            :class:`~mmlt.models.losses.base.BoxLoss`; the mean is that of
            the anchors.

    Raises:
        TypeError: If a number is none.
        ValueError: If one is out of range.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        p: float = 0.8,
        q: float = 2.0,
        eps: float = 1e-2,
        **kwargs: Any,
    ) -> None:
        self.p = check_number('p', p)
        self.q = check_number('q', q)
        self.eps = check_number('eps', eps, positive=True)
        super().__init__(num_classes, **kwargs)

    def counters(self) -> dict[str, Tensor]:
        """Samples (C + 1,) of each class, and of the background."""
        return {'cum_samples': torch.zeros(self.num_classes + 1)}

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Count the labels, in training."""
        if self.training:
            add_labels(self.cum_samples, target)
        return target, weight

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        log_score = F.logsigmoid(cls_score.detach())
        label = target.clamp(max=self.num_classes - 1)
        factor = log_factors(
            log_score, label, self.cum_samples[:-1], self.p, self.q, self.eps
        )
        background = (target == self.num_classes).unsqueeze(1)
        factor = factor.masked_fill(background, 0)
        return self.bce(cls_score + factor, target).sum(dim=1)
