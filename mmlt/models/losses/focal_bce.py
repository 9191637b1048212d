"""The one formula behind the multi-label losses. B batch, C classes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _FocalBCE(torch.autograd.Function):
    """See :func:`focal_bce`.

    Autograd would keep six (B, C) tensors and pass over memory three times
    as often. The gradient costs little where the loss is at hand, so it is
    the one tensor kept.
    """

    @staticmethod
    def forward(
        ctx, scores, target, offset, weight, gamma, scale, factor, total
    ):
        logit = torch.add(scores, offset).mul_(-scale)
        logit.addcmul_(logit, target, value=-1 - 1 / scale)
        prob = logit.sigmoid().clamp_min_(torch.finfo(logit.dtype).tiny)
        # Half the time of logsigmoid, and off by one rounding of prob. The
        # bound is exact where prob underflows.
        loss = prob.log().clamp_max_(logit)
        grad = torch.rsub(prob, 1).pow_(gamma).mul_(weight)
        loss.mul_(grad)
        # With l = log p: -d/dt (1 - p)^g l
        #   = -(1 - p)^g (1 - p - g p l) = -(a - a p - g p a l), a = (1 - p)^g
        grad.addcmul_(grad, prob, value=-1)
        grad.addcmul_(prob, loss, value=-gamma)
        # By the score, positive labels fall and negative ones rise.
        grad.addcmul_(grad, target, value=-2)
        ctx.save_for_backward(grad)
        ctx.factor = factor
        if scale != 1:
            loss.addcmul_(loss, target, value=scale - 1)
        # Not in place: torch.compile would lose the gradient.
        return (loss.sum() if total else loss) * (-factor / scale)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor):
        (slope,) = ctx.saved_tensors
        return slope * (grad * ctx.factor), *(7 * [None])


def focal_bce(
    cls_score: Tensor,
    target: Tensor,
    offset: Tensor,
    weight: Tensor,
    gamma: float = 0.0,
    scale: float = 1.0,
    factor: float = 1.0,
    total: bool = False,
) -> Tensor:
    r"""Weighted focal binary cross entropy of moved and scaled logits.

    .. math::
        -f \, w \, (1 - p)^\gamma \cdot
        \begin{cases}
            \log p, \quad p = \sigma(z + \nu) & y = 1 \\
            \log(p) / s, \quad p = \sigma(-s (z + \nu)) & y = 0
        \end{cases}

    With the defaults and ``nu = 0`` this is the binary cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits ``z``, not changed.
        target (Tensor): (B, C) labels ``y``, 0 or 1, of the same dtype.
        offset (Tensor): ``nu``, of any shape that broadcasts to (B, C).
        weight (Tensor): ``w``, of any shape that broadcasts to (B, C).
        gamma (float): Focal exponent, >= 0.
        scale (float): ``s``, > 0.
        factor (float): ``f``.
        total (bool): Return the sum over all entries.

    Returns:
        Tensor: (B, C) losses, or 0-dim. Differentiable once, by
        ``cls_score`` only.
    """
    return _FocalBCE.apply(
        cls_score, target, offset, weight, gamma, scale, factor, total
    )
