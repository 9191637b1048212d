"""The one formula behind the multi-label losses. B batch, C classes."""

from __future__ import annotations

import torch
from torch import Tensor

from .first_order import first_order


class _FocalLogLikelihood(torch.autograd.Function):
    """See :func:`focal_log_likelihood`.

    Autograd would keep six (B, C) tensors and pass over memory three times
    as often. The gradient costs little where the value is at hand, so it is
    the one tensor kept. On small batches each operation counts, which is why
    sign and factors are left to the weight.
    """

    @staticmethod
    def forward(ctx, scores, target, offset, weight, gamma, scale, total):
        # The logit of the label is slope * (z + nu): slope is 1 or -s.
        slope = torch.rsub(target, -scale, alpha=-1 - scale)
        logit = torch.add(scores, offset).mul_(slope)
        prob = logit.sigmoid().clamp_min_(torch.finfo(logit.dtype).tiny)
        # Half the time of logsigmoid, and off by one rounding of prob. The
        # bound is exact where prob underflows.
        log_prob = prob.log().clamp_max_(logit)
        wrong = torch.rsub(prob, 1)
        weight = wrong.pow(gamma).mul_(weight)
        if scale != 1:
            weight.addcmul_(weight, target, value=scale - 1)
        # With l = log p: d/dt (1 - p)^g l = (1 - p)^g (1 - p - g p l)
        grad = wrong.addcmul_(prob, log_prob, value=-gamma)
        ctx.save_for_backward(grad.mul_(slope).mul_(weight))
        # Not in place: torch.compile would lose the gradient.
        result = log_prob * weight
        return result.sum() if total else result

    @staticmethod
    @first_order
    def backward(ctx, grad_result: Tensor):
        (grad,) = ctx.saved_tensors
        return grad * grad_result, *(6 * [None])


def focal_log_likelihood(
    cls_score: Tensor,
    target: Tensor,
    offset: Tensor,
    weight: Tensor,
    gamma: float = 0.0,
    scale: float = 1.0,
    total: bool = False,
) -> Tensor:
    r"""Weighted focal log-likelihood of moved and scaled logits.

    .. math::
        w \, (1 - p)^\gamma \cdot
        \begin{cases}
            s \log p, \quad p = \sigma(z + \nu) & y = 1 \\
            \log p, \quad p = \sigma(-s (z + \nu)) & y = 0
        \end{cases}

    A negative weight makes it a loss: with ``w = -1``, ``nu = 0`` and the
    defaults it is the binary cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits ``z``, not changed.
        target (Tensor): (B, C) labels ``y``, 0 or 1, of the same dtype.
        offset (Tensor): ``nu``, of any shape that broadcasts to (B, C).
        weight (Tensor): ``w``, of any shape that broadcasts to (B, C).
        gamma (float): Focal exponent, >= 0.
        scale (float): ``s``, > 0.
        total (bool): Return the sum over all entries.

    Returns:
        Tensor: (B, C), or 0-dim. Differentiable once, by ``cls_score`` only.
    """
    return _FocalLogLikelihood.apply(
        cls_score, target, offset, weight, gamma, scale, total
    )
