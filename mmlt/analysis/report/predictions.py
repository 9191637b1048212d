"""What predictions say, by class and by frequency: arrays in, numbers out.

N samples, C classes, G groups of classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmlt.analysis.confusion import describe_confusion, predicted_labels
from mmlt.class_stats import ClassStats
from mmlt.evaluation.functional import (
    class_average_precision,
    group_means,
    nanmean,
    per_class_recall,
)

BINS = 15


def reliability(
    confidence: np.ndarray, hit: np.ndarray, bins: int = BINS
) -> dict:
    r"""The expected calibration error, and the bins that it is a mean of.

    .. math::
        ECE = \sum_m \frac{|B_m|}{N} |acc(B_m) - conf(B_m)|

    `On Calibration of Modern Neural Networks
    <https://arxiv.org/abs/1706.04599>`_, Eq. 3: bins ``((m - 1) / M, m / M]``
    of the confidence.

    Args:
        confidence (np.ndarray): (N,) in [0, 1].
        hit (np.ndarray): (N,) bool, whether the prediction is right.
        bins (int): ``M``.

    Returns:
        dict: ``ece`` in percent, NaN without samples; ``count``,
        ``confidence`` and ``accuracy`` (M,) of the bins, the latter two in
        [0, 1], NaN in an empty bin.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    sums = (
        np.bincount(place, weights, bins)
        for weights in (confidence, hit.astype(float))
    )
    mean, right = (
        np.where(count > 0, each / np.maximum(count, 1), np.nan)
        for each in sums
    )
    gap = np.nansum(count * np.abs(right - mean))
    return {
        'ece': float(100 * gap / count.sum()) if count.any() else np.nan,
        'count': count.tolist(),
        'confidence': mean.tolist(),
        'accuracy': right.tolist(),
    }


def grouped_reliability(
    confidence: np.ndarray,
    hit: np.ndarray,
    group: np.ndarray,
    names: Sequence[str],
) -> dict[str, dict]:
    """:func:`reliability` of all, and of each group, the most frequent first.

    Args:
        confidence (np.ndarray): (N,) in [0, 1].
        hit (np.ndarray): (N,) bool.
        group (np.ndarray): (N,) int, of the class that was predicted: what a
            user sees of a prediction.
        names (Sequence[str]): G names, rarest first.
    """
    result = {'all': reliability(confidence, hit)}
    for g in range(len(names))[::-1]:
        inside = group == g
        result[names[g]] = reliability(confidence[inside], hit[inside])
    return result


def describe_logits(
    dump: dict, stats: ClassStats, group: np.ndarray, names: Sequence[str]
) -> dict:
    """The numbers of a classifier's logits.

    Args:
        dump (dict): What ``mmlt.DumpLogits`` wrote: ``logits`` (N, C) and
            ``labels``, (N,) or for multi-label data (N, C).
        stats (ClassStats): Of the training set.
        group (np.ndarray): (C,) of each class.
        names (Sequence[str]): G names, rarest first.

    Returns:
        dict: ``measure``, ``scores`` (C,) in percent, ``summary`` of them,
        ``calibration``, ``confusion`` and ``pairs``; of single-label data
        also ``accuracy``.
    """
    logits, labels = dump['logits'], dump['labels'].numpy()
    confusion = describe_confusion(
        *predicted_labels(logits, dump['labels']), stats, group, names
    )
    if labels.ndim == 2:
        score = logits.sigmoid().numpy()
        known = labels >= 0
        hit = (labels == 1)[known]
        of_class = np.broadcast_to(group, labels.shape)[known]
        return {
            **summary(
                'AP', class_average_precision(score, labels), group, names
            ),
            'calibration': grouped_reliability(
                score[known], hit, of_class, names
            ),
            **confusion,
        }
    confidence, predicted = (
        each.numpy() for each in logits.softmax(dim=1).max(dim=1)
    )
    hit = predicted == labels
    recall = 100 * per_class_recall(hit, labels, stats.num_classes)
    return {
        **summary('accuracy', recall, group, names),
        'accuracy': float(100 * hit.mean()),
        'calibration': grouped_reliability(
            confidence, hit, group[predicted], names
        ),
        **confusion,
    }


def summary(
    measure: str,
    scores: np.ndarray,
    group: np.ndarray,
    names: Sequence[str],
) -> dict:
    """Scores of classes, and their mean by group, the most frequent first.

    Args:
        measure (str): ``'accuracy'`` or ``'AP'``.
        scores (np.ndarray): (C,) in percent, NaN where not known.
        group (np.ndarray): (C,) of each class.
        names (Sequence[str]): G names, rarest first.
    """
    means = group_means(scores, group, len(names)).tolist()
    overall = 'balanced' if measure == 'accuracy' else 'mAP'
    return {
        'measure': measure,
        'scores': scores.tolist(),
        'summary': {
            overall: nanmean(scores),
            **dict(list(zip(names, means, strict=True))[::-1]),
        },
    }
