"""Softmaxes over groups of columns, the functions behind BAGS.

Shape letters: R RoIs (or images), C classes, K columns of the classifier,
S softmaxes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class GroupLayout(NamedTuple):
    """Which columns compete in which softmax.

    Args:
        sizes (tuple[int]): (S,) columns of each softmax.
        order (Tensor): (K,) the columns, softmax by softmax.
        softmax (Tensor): (K,) index of each column's softmax.
    """

    sizes: tuple[int, ...]
    order: Tensor
    softmax: Tensor


def by_group(cls_score: Tensor, layout: GroupLayout) -> tuple[Tensor, ...]:
    """The logits (R, K) of each softmax, S tensors."""
    return cls_score.index_select(1, layout.order).split(layout.sizes, dim=1)


def group_max(cls_score: Tensor, layout: GroupLayout) -> Tensor:
    """(R, S) highest logit of each softmax, of logits (R, K)."""
    parts = by_group(cls_score, layout)
    return torch.stack([part.amax(dim=1) for part in parts], dim=1)


def group_logsumexp(cls_score: Tensor, layout: GroupLayout) -> Tensor:
    """(R, S) ``log sum_{k in g} exp(z_k)`` of logits (R, K)."""
    parts = by_group(cls_score, layout)
    return torch.stack([part.logsumexp(dim=1) for part in parts], dim=1)


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
        Tensor: (R, S) losses.
    """
    return group_logsumexp(cls_score, layout) - cls_score.gather(1, column)


def group_log_softmax(cls_score: Tensor, layout: GroupLayout) -> Tensor:
    """(R, K) log-probability of each column in its softmax."""
    log_sum = group_logsumexp(cls_score, layout)
    return cls_score - log_sum.index_select(1, layout.softmax)


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
