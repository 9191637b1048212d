"""Softmaxes over groups of columns, the functions behind BAGS.

Shape letters: R RoIs (or images), C classes, K columns of the classifier,
S softmaxes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .first_order import first_order

# The sum of exp(z) is then between 1e-26 and 1e26, which float32 can hold.
LARGEST_LOG_SUM = 60


class GroupLayout(NamedTuple):
    """Which columns compete in which softmax.

    Args:
        sizes (tuple[int]): (S,) columns of each softmax.
        order (Tensor): (K,) the columns, softmax by softmax.
        rank (Tensor): (K,) place of each column in ``order``.
        softmax (Tensor): (K,) index of each column's softmax.
        member (Tensor): (S, K) float, 1 if the column is in the softmax.
    """

    sizes: tuple[int, ...]
    order: Tensor
    rank: Tensor
    softmax: Tensor
    member: Tensor


def _softmaxes(
    scores: Tensor, layout: GroupLayout
) -> tuple[Tensor, Tensor, Tensor]:
    """Numerators (R, K), denominators and log-sum-exp (R, S); any logits."""
    columns = layout.order.split(layout.sizes)
    parts = [scores.index_select(1, each) for each in columns]
    probs = [part.softmax(dim=1) for part in parts]
    peak = torch.stack([part.amax(dim=1) for part in parts], dim=1)
    # That of the peak is at least 1 / k, so that its logarithm is finite.
    highest = torch.stack([prob.amax(dim=1) for prob in probs], dim=1)
    prob = torch.cat(probs, dim=1).index_select(1, layout.rank)
    return prob, torch.ones_like(peak), peak - highest.log()


def _softmaxes_on_cpu(
    scores: Tensor, layout: GroupLayout
) -> tuple[Tensor, Tensor, Tensor]:
    """The same in half the time, if each log-sum-exp is less than 60.

    Columns stay where they are, no peak is subtracted, and the sums of all
    softmaxes are a matrix product. Where that could over- or underflow is
    noticed, which on an accelerator would mean to wait for the device.
    """
    exp = scores.exp()
    with torch.autocast('cpu', enabled=False):
        total = exp @ layout.member.to(exp.dtype).T
    log_sum = total.log()
    if not (log_sum.abs() < LARGEST_LOG_SUM).all():
        return _softmaxes(scores, layout)
    return exp, total, log_sum


def _expand(values: Tensor, layout: GroupLayout, on_cpu: bool) -> Tensor:
    """(R, S) values of softmaxes as (R, K) values of their columns."""
    if not on_cpu:
        return values.index_select(1, layout.softmax)
    # Multiplying by a transposed matrix is faster, even with making one.
    columns = layout.member.to(values.dtype).T.contiguous()
    with torch.autocast('cpu', enabled=False):
        return values @ columns.T


class _GroupCrossEntropy(torch.autograd.Function):
    """The cross entropies of all softmaxes, with one gradient tensor.

    Autograd's own would add up one (R, K) gradient for each softmax.
    """

    @staticmethod
    def forward(ctx, scores, column, sizes, *tables):
        layout = GroupLayout(sizes, *tables)
        ctx.on_cpu = (
            scores.device.type == 'cpu' and not torch.compiler.is_compiling()
        )
        function = _softmaxes_on_cpu if ctx.on_cpu else _softmaxes
        exp, total, lse = function(scores, layout)
        ctx.sizes = sizes
        ctx.save_for_backward(exp, total, column, *tables)
        return lse - scores.gather(1, column)

    @staticmethod
    @first_order
    def backward(ctx, grad):
        exp, total, column, *tables = ctx.saved_tensors
        layout = GroupLayout(ctx.sizes, *tables)
        result = _expand(grad / total, layout, ctx.on_cpu).mul_(exp)
        result.scatter_add_(1, column, -grad)
        return result, *(6 * [None])


def group_cross_entropy(
    cls_score: Tensor, column: Tensor, layout: GroupLayout
) -> Tensor:
    r"""Cross entropy within each softmax.

    .. math:: \log \sum_{k \in g} e^{z_k} - z_{y_g}

    Args:
        cls_score (Tensor): (R, K) logits.
        column (Tensor): (R, S) target column ``y_g`` in each softmax.
        layout (GroupLayout): The softmaxes.

    Returns:
        Tensor: (R, S) losses, in float32 for half-precision logits.
    """
    if cls_score.element_size() < 4:
        cls_score = cls_score.float()
    return _GroupCrossEntropy.apply(cls_score, column, *layout)


def group_softmax(cls_score: Tensor, layout: GroupLayout) -> Tensor:
    """(R, K) probability of each column of the logits in its softmax."""
    if cls_score.element_size() < 4:
        cls_score = cls_score.float()
    columns = layout.order.split(layout.sizes)
    probs = [
        cls_score.index_select(1, each).softmax(dim=1) for each in columns
    ]
    return torch.cat(probs, dim=1).index_select(1, layout.rank)


def select_rois(
    own: Tensor, valid: Tensor | None, others_ratio: float | None
) -> Tensor:
    """Each group's own RoIs and a random draw of the others.

    Adds ``int(ratio * #own)`` of the rest, drawn without replacement and for
    each group anew; all of the rest if that is fewer.

    Args:
        own (Tensor): (R, S) bool, the RoI's class is in the group.
        valid (Tensor | None): (R,) bool; other RoIs are never selected.
            None for all.
        others_ratio (float | None): None takes all of the rest, for groups
            that have an RoI of their own.

    Returns:
        Tensor: (R, S) bool.
    """
    rest = ~own
    if valid is not None:
        rest = rest & valid.unsqueeze(1)
        own = own & valid.unsqueeze(1)
    num_own = own.sum(dim=0)
    if others_ratio is None:
        return own | (rest & (num_own > 0))
    # The first so many of the rest, in a random order of each group.
    order = [torch.randperm(len(rest), device=rest.device) for _ in num_own]
    order = torch.stack(order, dim=1)
    shuffled = rest.gather(0, order)
    # In double precision, as Python computes `int(ratio * count)`; the whole
    # numbers up to it are those up to the product.
    number = num_own.double() * others_ratio
    drawn = shuffled & (shuffled.cumsum(dim=0) <= number)
    return own | torch.zeros_like(own).scatter_(0, order, drawn)


def bags_loss(
    cls_score: Tensor,
    column: Tensor,
    own: Tensor,
    layout: GroupLayout,
    weight: Tensor | None = None,
    others_ratio: float | None = 8.0,
) -> tuple[Tensor, Tensor]:
    r"""Weighted losses and weights of balanced group softmax.

    `BAGS <https://arxiv.org/abs/2006.10408>`_, equation 4: the loss of a
    softmax is the sum of its losses over the RoIs, divided by
    ``max(weights.sum(), 1)``.

    Args:
        cls_score (Tensor): (R, K) logits.
        column (Tensor): (R, S) target column in each softmax.
        own (Tensor): (R, S) bool, the RoI's class is in the softmax.
        layout (GroupLayout): The softmaxes.
        weight (Tensor | None): (R,) >= 0; RoIs of weight 0 take no part.
        others_ratio (float | None): See :func:`select_rois`.

    Returns:
        tuple[Tensor, Tensor]: (R, S) losses, and (R, S) weights.
    """
    losses = group_cross_entropy(cls_score, column, layout)
    valid = None if weight is None else weight > 0
    weights = select_rois(own, valid, others_ratio).to(losses.dtype)
    if weight is not None:
        weights = weights * weight.to(losses.dtype).unsqueeze(1)
    return weights * losses, weights
