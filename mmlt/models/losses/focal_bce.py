"""Focal binary cross entropy. B batch, C classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

# Exponent, and a constant factor.
FOCAL = dict(gamma=2.0, balance=2.0)


def focal_bce(cls_score: Tensor, target: Tensor, gamma: float) -> Tensor:
    """``(1 - p_t)^gamma * BCE``, with the probability ``p_t`` of the label.

    `Focal loss <https://arxiv.org/abs/1708.02002>`_, Eq. 4; with gamma 0 it
    is the binary cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits.
        target (Tensor): (B, C) of the same dtype, 0 or 1.
        gamma (float): Focal exponent, >= 0.

    Returns:
        Tensor: (B, C).
    """
    bce = F.binary_cross_entropy_with_logits(
        cls_score, target, reduction='none'
    )
    # p_t = exp(-BCE). For gamma < 1 the power has no slope at 0.
    wrong = -torch.expm1(-bce)
    return wrong.clamp_min(torch.finfo(bce.dtype).tiny) ** gamma * bce
