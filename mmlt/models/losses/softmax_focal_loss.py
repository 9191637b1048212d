"""Focal loss on softmax logits. B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmlt.checks import check_number
from mmlt.registry import MODELS

from .base import SoftmaxLoss


def softmax_focal_loss(
    cls_score: Tensor, target: Tensor, gamma: float
) -> Tensor:
    """``(1 - p_y)^gamma * CE``, with the softmax probability ``p_y``.

    `Focal loss <https://arxiv.org/abs/1708.02002>`_, Eq. 4, for one of
    several classes; with gamma 0 it is the cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits.
        target (Tensor): (B,) labels, or (B, C) label distributions.
        gamma (float): Focal exponent, >= 0.

    Returns:
        Tensor: (B,) losses.
    """
    log_p = cls_score.log_softmax(dim=1)
    if target.dim() == 1:
        log_p = log_p.gather(1, target.unsqueeze(1))
    # For gamma < 1 the power has no slope at 0.
    wrong = -torch.expm1(log_p)
    losses = wrong.clamp_min(torch.finfo(wrong.dtype).tiny) ** gamma * -log_p
    return losses.sum(1) if target.dim() == 1 else (target * losses).sum(1)


@MODELS.register_module()
class SoftmaxFocalLoss(SoftmaxLoss):
    """Focal loss on softmax logits; with class weights, CB-Focal.

    `Focal loss <https://arxiv.org/abs/1708.02002>`_, and with
    ``class_weight='effective_number'`` `Class-Balanced Loss
    <https://arxiv.org/abs/1901.05555>`_ over a softmax.

    Note:
        The code of LDAM takes ``p_y`` from the weighted cross entropy, here
        it is the probability. The authors of CB-Focal report it on sigmoids.

    Args:
        gamma (float): Focal exponent, >= 0. Defaults to 2.0.
        **kwargs: Arguments of :class:`~mmlt.models.losses.base.SoftmaxLoss`.

    Raises:
        TypeError: If ``gamma`` is no number.
        ValueError: If ``gamma`` is negative or not finite.
    """

    def __init__(self, gamma: float = 2.0, **kwargs: Any) -> None:
        self.gamma = check_number('gamma', gamma)
        super().__init__(**kwargs)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return softmax_focal_loss(cls_score, target, self.gamma)
