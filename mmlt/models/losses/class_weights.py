"""Weights of classes by their frequency. C classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats

KINDS = ('inverse', 'inverse_sqrt', 'effective_number')


def inverse_effective_number(count: Tensor, beta: float) -> Tensor:
    """``(1 - beta) / (1 - beta^n)``: 1 over the effective number of samples.

    `Class-Balanced Loss <https://arxiv.org/abs/1901.05555>`_, Eq. 2.

    Args:
        count (Tensor): ``n`` >= 1, of any shape.
        beta (float): In [0, 1).
    """
    log_beta = math.log(beta) if beta else -math.inf
    return (beta - 1) / torch.expm1(count * log_beta)


def class_weights(
    stats: ClassStats, kind: str, beta: float = 0.9999, by: str = 'image'
) -> Tensor:
    """``1 / n``, ``1 / sqrt(n)``, or 1 over the effective number of samples.

    A class without training images counts as having one.

    Args:
        stats (ClassStats): ``n``.
        kind (str): ``'inverse'``, ``'inverse_sqrt'`` or
            ``'effective_number'``.
        beta (float): Of the last, in [0, 1).
        by (str): ``'image'`` or ``'instance'`` counts.

    Returns:
        Tensor: (C,) float64, which sum to C.
    """
    count = torch.from_numpy(stats.positive_count(by)).double()
    if kind == 'effective_number':
        weight = inverse_effective_number(count, beta)
    else:
        weight = count ** (-1.0 if kind == 'inverse' else -0.5)
    return weight / weight.mean()


def check_beta(beta: Any) -> float:
    """``beta``; raises unless it is a number in [0, 1)."""
    if check_number('beta', beta) >= 1:
        raise ValueError(f'beta must be in [0, 1), got {beta}')
    return beta


def check_class_weight(weight: Any) -> str | list[float] | None:
    """A kind, or the numbers as a list; raises for anything else."""
    if weight is None or (isinstance(weight, str) and weight in KINDS):
        return weight
    if isinstance(weight, str):
        raise ValueError(
            f'class_weight must be one of {KINDS}, a list of numbers or '
            f'None, got {weight!r}'
        )
    if not isinstance(weight, Sequence | np.ndarray) or not len(weight):
        raise TypeError(
            f'class_weight must be one of {KINDS}, a list of numbers or '
            f'None, got {weight!r}'
        )
    weight = [float(check_number('class_weight', each)) for each in weight]
    if not any(weight):
        raise ValueError(f'class_weight must not be all 0, got {weight}')
    return weight


def check_num_weights(weight: list[float], num_classes: int) -> list[float]:
    """``weight``; raises unless it has a number for each class."""
    if len(weight) != num_classes:
        raise ValueError(
            f'class_weight has {len(weight)} numbers, but the class '
            f'statistics hold {num_classes} classes; give one number for each '
            'class'
        )
    return weight
