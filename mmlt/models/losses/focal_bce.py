"""The one formula behind the multi-label losses. B batch, C classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class _FocalBCE(torch.autograd.Function):
    """See :func:`focal_bce`.

    Autograd would keep six (B, C) tensors and pass over memory three times
    as often. The slope costs little where the loss is at hand, so it is the
    one tensor kept.
    """

    @staticmethod
    def forward(ctx, scores, slope, offset, weight, gamma):
        error = (scores + offset).mul_(slope)
        miss = error.sigmoid()
        bce = F.softplus(error)
        factor = miss.pow(gamma).mul_(weight)
        loss = factor * bce
        # d/dx sigmoid(x)^g softplus(x)
        #   = sigmoid(x)^g * (sigmoid(x) + g * softplus(x) * sigmoid(-x))
        grad = bce.addcmul_(bce, miss, value=-1).mul_(gamma).add_(miss)
        ctx.save_for_backward(grad.mul_(factor).mul_(slope))
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        (slope,) = ctx.saved_tensors
        return slope * grad, None, None, None, None


def focal_bce(
    cls_score: Tensor,
    slope: Tensor,
    offset: Tensor,
    weight: Tensor,
    gamma: float = 0.0,
) -> Tensor:
    r"""Weighted focal binary cross entropy of moved and scaled logits.

    .. math::
        w \, \sigma(e)^\gamma \log(1 + \exp(e)), \quad e = s (z + \nu)

    ``sigmoid(e)`` is ``1 - p_t``: with ``s`` = -1 for a positive and 1 for a
    negative label and ``gamma = 0`` this is the binary cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits ``z``, not changed.
        slope (Tensor): (B, C) ``s``.
        offset (Tensor): (C,) or (B, C) ``nu``.
        weight (Tensor): ``w``, of any shape that broadcasts to (B, C).
        gamma (float): Focal exponent, >= 0.

    Returns:
        Tensor: (B, C) losses. Differentiable once, by ``cls_score`` only.
    """
    return _FocalBCE.apply(cls_score, slope, offset, weight, gamma)


def label_slope(target: Tensor, scale: float = 1.0) -> Tensor:
    """(B, C): -1 for positive labels, ``scale`` for negative ones.

    Args:
        target (Tensor): (B, C) float, 0 or 1.
        scale (float): Slope of the negatives.
    """
    return torch.rsub(target, scale, alpha=1 + scale)
