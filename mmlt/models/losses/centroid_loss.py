"""The loss of a memory of class centroids. B batch, C classes, D features."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


def centroid_loss(
    feature: Tensor,
    centroids: Tensor,
    target: Tensor,
    weight: float = 0.01,
    repel_weight: float = 0.01,
    margin: float = 10.0,
) -> Tensor:
    r"""Pull features to the centroid of their class, and off the others.

    `Large-Scale Long-Tailed Recognition in an Open World
    <https://arxiv.org/abs/1904.05160>`_, Eq. 7, as in its code:

    .. math::
        w \Big[ \frac{1}{2B} \sum_i \lVert f_i - c_{y_i} \rVert^2 + w_r
        \max\Big(0, m - \frac{1}{BC} \sum_i \sum_{k \neq y_i}
        \lVert f_i - c_k \rVert^2\Big) \Big]

    The first term moves centroid k by ``sum (c_k - f_i) / (B (1 + n_k))``
    over its n_k images in the batch, whatever ``weight`` is. Counts and the
    mean of the second term are those of the batches of all ranks, so that N
    ranks train as one.

    An image with several labels is pulled to the mean of its classes' squared
    distances; one without a label only off all centroids. This is an
    inference: the paper has one label an image.

    Args:
        feature (Tensor): (B, D), float32 or float64.
        centroids (Tensor): (C, D).
        target (Tensor): (B, C), 1 for the classes of an image; -1, a label
            that is not known, counts as 0.
        weight (float): w, > 0, of all but the centroids' own way.
        repel_weight (float): w_r, >= 0.
        margin (float): m, a squared distance, >= 0.

    Returns:
        Tensor: 0-dim.

    Note:
        The paper does not square the distances of the second term, and has
        a weight of 0.1. Its code divides by C, not by C - 1.
    """
    positive = target.clamp(min=0).to(feature)
    images = max(len(feature), 1)

    count = positive.detach().sum(0)
    all_reduce(count)
    fixed = centroids.detach()
    step = 1 / (weight * (1 + count))
    # Equal to the centroids, with `step` times their gradient.
    pulled = fixed + step[:, None] * (centroids - fixed)
    share = positive / positive.sum(1, keepdim=True).clamp(min=1)
    attract = (share * square_distance(feature, pulled)).sum() / 2 / images

    others = (1 - positive) * square_distance(feature, centroids)
    mean = others.sum() / images / len(centroids)
    over_ranks = mean.detach().clone()
    all_reduce(over_ranks, 'mean')
    # The mean of all ranks, with the gradient of this one's.
    mean = over_ranks + (mean - mean.detach())
    repel = (margin - mean).clamp(min=0)
    return weight * (attract + repel_weight * repel)


def square_distance(feature: Tensor, centroids: Tensor) -> Tensor:
    """(B, C) squared Euclidean distances."""
    return torch.cdist(feature, centroids).square()
