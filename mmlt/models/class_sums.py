"""Sums over the training set, class by class. B batch, C classes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from mmengine.dist import all_reduce
from torch import Tensor


def sum_by_class(
    batches: Iterable[tuple[Tensor, Tensor]], num_classes: int, width: int
) -> Tensor:
    """Sum of the values of each class, over all batches and ranks.

    Args:
        batches (Iterable[tuple[Tensor, Tensor]]): Values (B, width) and
            labels (B,).
        num_classes (int): C.
        width (int): Of a row.

    Returns:
        Tensor: (C, width) float64.
    """
    sums = torch.zeros(num_classes, width, dtype=torch.float64)
    for values, labels in batches:
        sums.index_add_(0, labels, values.double())
    all_reduce(sums)
    return sums
