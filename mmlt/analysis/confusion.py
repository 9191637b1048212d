"""What classes are taken for, by frequency: arrays in, numbers out.

N predictions, each of the label that was true, C classes, G groups of classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mmlt.class_stats import ClassStats

NUMBER_OF_PAIRS = 20


def predicted_labels(
    logits: Tensor, labels: Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""What each label is taken for.

    An image of one label is taken for the class of the largest logit. Of one
    with several labels, a set :math:`Y`, the :math:`|Y|` classes of the
    largest logits are predicted, :math:`\hat Y`, so that no threshold
    matters. What is in both is right; each label that is missed is taken for
    all classes that are wrong, in equal parts:

    .. math::
        w(y, k) = \frac{1}{|\hat Y \setminus Y|}, \quad
        y \in Y \setminus \hat Y, \; k \in \hat Y \setminus Y

    Args:
        logits (Tensor): (B, C).
        labels (Tensor): (B,), or of multi-label data (B, C): 1, 0, or -1 for
            not known, which is never predicted.

    Returns:
        tuple: (N,) int classes that were predicted, (N,) int labels, and (N,)
        the weight of each pair. Those of multi-label data are summed over the
        images.
    """
    if labels.dim() == 1:
        predicted = logits.argmax(dim=1).numpy()
        return predicted, labels.numpy(), np.ones(len(labels))
    score, target = logits.numpy(), labels.numpy()
    positive = target == 1
    order = np.argsort(-np.where(target < 0, -np.inf, score), 1, 'stable')
    chosen = np.zeros_like(positive)
    best = np.arange(score.shape[1]) < positive.sum(1, keepdims=True)
    np.put_along_axis(chosen, order, best, axis=1)
    missed, wrong = positive & ~chosen, chosen & ~positive
    part = wrong / np.maximum(wrong.sum(1, keepdims=True), 1)
    weight = missed.T.astype(float) @ part
    weight += np.diag((positive & chosen).sum(0))
    label, predicted = np.nonzero(weight)
    return predicted, label, weight[label, predicted]


def group_confusion(
    predicted: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    group: np.ndarray,
    num_groups: int,
) -> np.ndarray:
    """(G, G + 2) share in percent of a group's labels, rarest first.

    Columns: the right class; another class, by its group; no class.

    Args:
        predicted (np.ndarray): (N,) int, -1 for no class.
        labels (np.ndarray): (N,) int.
        weight (np.ndarray): (N,) of each pair of them.
        group (np.ndarray): (C,) int, of each class.
        num_groups (int): G.
    """
    none = num_groups + 1
    column = np.where(predicted < 0, none, 1 + group[predicted])
    column[predicted == labels] = 0
    width = num_groups + 2
    count = np.bincount(
        group[labels] * width + column, weight, num_groups * width
    ).reshape(num_groups, width)
    whole = count.sum(1, keepdims=True)
    return np.divide(
        100 * count, whole, np.full_like(count, np.nan), where=whole > 0
    )


def confused_pairs(
    predicted: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    names: Sequence[str],
    number: int,
) -> list[dict]:
    """The classes that are most often taken for a certain other one.

    By the share of the labels of the class; of equal ones, those of more
    labels come first.

    Args:
        predicted (np.ndarray): (N,) int, -1 for no class.
        labels (np.ndarray): (N,) int.
        weight (np.ndarray): (N,) of each pair of them.
        names (Sequence[str]): (C,).
        number (int): Of pairs.
    """
    samples = np.bincount(labels, weight, len(names))
    wrong = (predicted != labels) & (predicted >= 0)
    pairs, pair = np.unique(
        labels[wrong] * len(names) + predicted[wrong], return_inverse=True
    )
    true, taken = np.divmod(pairs, len(names))
    share = np.bincount(pair, weight[wrong], len(pairs)) / samples[true]
    order = np.lexsort((-samples[true], -share))[:number]
    return [
        {
            'class': names[true[pair]],
            'taken_for': names[taken[pair]],
            'share': float(100 * share[pair]),
            'samples': round(samples[true[pair]]),
        }
        for pair in order
    ]


def describe_confusion(
    predicted: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    stats: ClassStats,
    group: np.ndarray,
    names: Sequence[str],
) -> dict:
    """``confusion`` by group, the most frequent first, and ``pairs``.

    Args:
        predicted (np.ndarray): (N,) int, -1 for no class.
        labels (np.ndarray): (N,) int.
        weight (np.ndarray): (N,) of each pair of them.
        stats (ClassStats): Of the training set.
        group (np.ndarray): (C,) of each class.
        names (Sequence[str]): G names, rarest first.
    """
    percent = group_confusion(predicted, labels, weight, group, len(names))
    order = [0, *range(len(names), 0, -1)]
    columns = ['right', *names[::-1]]
    if (predicted < 0).any():
        order.append(len(names) + 1)
        columns.append('none')
    classes = [str(each) for each in stats.classes or range(stats.num_classes)]
    return {
        'confusion': {
            'rows': list(names[::-1]),
            'columns': columns,
            'percent': percent[::-1, order].tolist(),
        },
        'pairs': confused_pairs(
            predicted, labels, weight, classes, NUMBER_OF_PAIRS
        ),
    }


def draw_confusion(
    predicted: np.ndarray,
    labels: np.ndarray,
    weight: np.ndarray,
    stats: ClassStats,
    group: np.ndarray,
    path: str | Path,
) -> None:
    """Draw the share of each class's labels, classes by falling frequency.

    Args:
        predicted (np.ndarray): (N,) int.
        labels (np.ndarray): (N,) int.
        weight (np.ndarray): (N,) of each pair of them.
        stats (ClassStats): Of the training set.
        group (np.ndarray): (C,) of each class; lines part them.
        path (str | Path): The image file to write.
    """
    number = stats.num_classes
    count = np.bincount(labels * number + predicted, weight, number**2)
    count = count.reshape(number, number)
    whole = count.sum(1, keepdims=True)
    order = np.argsort(-stats.image_count, kind='stable')
    percent = np.divide(
        100 * count, whole, np.full_like(count, np.nan), where=whole > 0
    )[np.ix_(order, order)]
    size = min(max(4.0, 0.16 * number), 16)
    figure = Figure(figsize=(size + 1.5, size), layout='constrained')
    axes = figure.add_subplot()
    axes.set_facecolor('0.85')
    image = axes.imshow(percent, cmap='viridis', vmin=0, vmax=100)
    figure.colorbar(image, label='share of the class (%)')
    for place in np.flatnonzero(np.diff(group[order])) + 0.5:
        axes.axhline(place, color='w', lw=0.8)
        axes.axvline(place, color='w', lw=0.8)
    # More names than these cannot be read.
    if number <= 100:
        classes = stats.classes or range(number)
        ticks = [str(classes[k]) for k in order]
        axes.set_xticks(np.arange(number), ticks, rotation=90, fontsize=6)
        axes.set_yticks(np.arange(number), ticks, fontsize=6)
    axes.set_xlabel('taken for, by falling frequency')
    axes.set_ylabel('class')
    figure.savefig(path, dpi=120)
