"""Group reductions of per-class scores, pure NumPy.

N samples, C classes, G groups of classes.
"""

from __future__ import annotations

import numpy as np


def per_class_recall(
    hits: np.ndarray, labels: np.ndarray, num_classes: int
) -> np.ndarray:
    """Share of each class's samples that were hit.

    Args:
        hits (np.ndarray): (N,) bool, whether the prediction is right.
        labels (np.ndarray): (N,) int, the true class.
        num_classes (int): C.

    Returns:
        np.ndarray: (C,) float64 in [0, 1]; NaN for a class without samples.

    Raises:
        ValueError: If a label is not in ``[0, C)``.
    """
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if wrong.size:
        raise ValueError(
            f'labels[{wrong[0]}] is {labels[wrong[0]]}, but there are '
            f'{num_classes} classes; check the annotations'
        )
    return _mean_of_each(np.asarray(hits, dtype=float), labels, num_classes)


def group_means(
    values: np.ndarray, groups: np.ndarray, num_groups: int
) -> np.ndarray:
    """Mean over the classes of each group, those with NaN left out.

    Args:
        values (np.ndarray): (C,) one value a class, NaN where not known.
        groups (np.ndarray): (C,) int, group of each class.
        num_groups (int): G.

    Returns:
        np.ndarray: (G,) float64; NaN for a group without any value.
    """
    known = ~np.isnan(values)
    return _mean_of_each(values[known], groups[known], num_groups)


def _mean_of_each(
    values: np.ndarray, index: np.ndarray, length: int
) -> np.ndarray:
    total = np.bincount(index, weights=values, minlength=length)
    count = np.bincount(index, minlength=length)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
