"""Checks of counts, and of the groups that are made of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmlt.checks import LARGEST, check_list, is_number

# Groups of the papers' code: the first count of the medium and of the largest.
THRESHOLDS = {
    'classifier_balancing': (20, 101),
    'db_loss': (20, 100),
    'oltr': (21, 100),
}


def check_by(by: str) -> None:
    """Raise unless ``by`` is ``'image'`` or ``'instance'``."""
    if by not in ('image', 'instance'):
        raise ValueError(f"by must be 'image' or 'instance', got {by!r}")


def check_beta(beta: float) -> float:
    """``beta`` of the effective number; raises unless it is in [0, 1)."""
    if not is_number(beta):
        raise TypeError(f'beta must be a number, got {beta!r}')
    if not 0 <= beta < 1:
        raise ValueError(f'beta must be in [0, 1), got {beta}')
    return beta


def check_thresholds(thresholds: Sequence[int] | str) -> tuple[int, ...]:
    """The thresholds; raises unless they rise and are positive, or a name."""
    if isinstance(thresholds, str) and thresholds in THRESHOLDS:
        return THRESHOLDS[thresholds]
    try:
        edges = np.asarray(thresholds)
    except ValueError:
        # Lists of unequal length.
        edges = np.zeros((0, 0))
    if (
        edges.ndim != 1
        or edges.dtype.kind not in 'iuf'
        or not np.all(np.diff(edges, prepend=0) > 0)
    ):
        raise ValueError(
            'thresholds must be positive and rise strictly, such as '
            f'(20, 101), or one of {sorted(THRESHOLDS)}, got {thresholds!r}'
        )
    return tuple(thresholds)


def check_groups(
    thresholds: Sequence[int] | str, group_names: Sequence[str]
) -> tuple[int, ...]:
    """The thresholds; raises unless there is a name for each group."""
    thresholds = check_thresholds(thresholds)
    check_list('group_names', group_names)
    if len(group_names) != len(thresholds) + 1:
        raise ValueError(
            f'group_names must hold {len(thresholds) + 1} names for '
            f'thresholds={thresholds}, got {tuple(group_names)}'
        )
    if len(set(group_names)) < len(group_names):
        raise ValueError(
            f'group_names must differ from each other, got {group_names}'
        )
    return thresholds


def as_counts(name: str, value: Any) -> np.ndarray:
    """(C,) read-only int64 counts; raises instead of clipping."""
    try:
        array = np.asarray(value)
    except ValueError:
        # Lists of unequal length.
        array = np.zeros(0)
    # Beside numbers NumPy takes True for 1.
    if (
        array.ndim != 1
        or array.size == 0
        or array.dtype.kind not in 'iuf'
        or any(isinstance(item, bool) for item in value)
    ):
        raise ValueError(
            f'{name} must be a list of counts, one for each class, got '
            f'{shorten(value)}'
        )
    wrong = np.flatnonzero(
        ~np.isfinite(array)
        | (array < 0)
        | (array > LARGEST / array.size)
        | (array != np.trunc(array))
    )
    if wrong.size:
        raise ValueError(
            f'{name}[{wrong[0]}] is {array[wrong[0]]}; counts must be whole '
            'numbers >= 0, and below 2**53 in sum'
        )
    if not array.any():
        raise ValueError(
            f'{name} is zero for all {array.size} classes; the training set '
            'seems to be empty or its annotations were not found'
        )
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array


def as_dimensions(value: Any, num_classes: int) -> np.ndarray:
    """(C,) read-only float64; raises unless all lie in [1, 2]."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if (
        array.shape != (num_classes,)
        or not ((array >= 1) & (array <= 2)).all()
    ):
        raise ValueError(
            f'fractal_dimension must hold {num_classes} numbers in [1, 2], '
            f'one for each class, got {shorten(value)}; count them again with '
            'tools/analysis_tools/class_stats.py'
        )
    array.flags.writeable = False
    return array


def as_whole(name: str, value: Any) -> int:
    """The number; raises unless it is whole."""
    try:
        whole = operator.index(value)
    except TypeError:
        whole = None
    if whole is None or isinstance(value, bool) or abs(whole) > LARGEST:
        raise ValueError(
            f'{name} must be a whole number, got {value!r}; at most 2**53'
        )
    return whole


def shorten(value: Any) -> str:
    """A value in a message, in 80 characters at most."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
