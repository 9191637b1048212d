"""Scores of classes and of groups of classes: arrays in, numbers out.

N samples, C classes, G groups of classes.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score


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


def class_average_precision(
    score: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Average precision of each class, of the labels that are known.

    The area under the precision-recall steps, ``sum_n (R_n - R_n-1) P_n``;
    samples of equal score make one step.

    Args:
        score (np.ndarray): (N, C) scores.
        target (np.ndarray): (N, C) of 0, 1 and -1 (not known).

    Returns:
        np.ndarray: (C,) in percent; NaN for a class without positives.
    """
    ap = np.full(score.shape[1], np.nan)
    known = target >= 0
    for k in np.flatnonzero((target == 1).any(0)):
        rows = known[:, k]
        ap[k] = average_precision_score(target[rows, k], score[rows, k])
    return 100 * ap


def f1_scores(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Micro and macro F1, ``2 TP / (2 TP + FP + FN)``, in percent.

    Args:
        predicted (np.ndarray): (N, C) bool.
        target (np.ndarray): (N, C) of 0, 1 and -1 (not known).

    Returns:
        dict: ``micro_f1`` over all labels, and ``macro_f1``, the mean over
        the classes with positive samples.
    """
    positive = target == 1
    hits = (predicted & positive).sum(0)
    # 2 TP + FP + FN = predicted + positive, of the known labels
    marked = (predicted & (target >= 0)).sum(0) + positive.sum(0)
    counted = positive.any(0)
    return {
        'micro_f1': 200 * float(hits.sum() / max(marked.sum(), 1)),
        'macro_f1': nanmean(200 * hits[counted] / marked[counted]),
    }


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


def nanmean(values: np.ndarray) -> float:
    """Mean without NaN; NaN, and no warning, if nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')


def _mean_of_each(
    values: np.ndarray, index: np.ndarray, length: int
) -> np.ndarray:
    total = np.bincount(index, weights=values, minlength=length)
    count = np.bincount(index, minlength=length)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
