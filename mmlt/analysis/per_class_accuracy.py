"""The figure that shows the tail: training counts under accuracies.

C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmlt.class_stats import ClassStats


def draw_per_class_accuracy(
    stats: ClassStats,
    accuracies: dict[str, np.ndarray],
    path: str | Path,
    by: str = 'image',
    measure: str = 'accuracy',
) -> None:
    """Draw class frequencies and the per-class accuracy of some runs.

    Classes are sorted by frequency, the most frequent first.

    Args:
        stats (ClassStats): Statistics of the training set, C classes.
        accuracies (dict[str, np.ndarray]): For each run, (C,) accuracies in
            percent; NaN leaves a gap.
        path (str | Path): The image file to write.
        by (str): ``'image'`` or ``'instance'`` counts.
        measure (str): What the values are, for the label of the axis.

    Raises:
        ValueError: If a run has not one accuracy for each class.
    """
    for name, values in accuracies.items():
        if len(values) != stats.num_classes:
            raise ValueError(
                f'accuracies[{name!r}] has {len(values)} entries, but there '
                f'are {stats.num_classes} classes'
            )
    count = stats.count(by)
    order = np.argsort(-count, kind='stable')
    position = np.arange(stats.num_classes)
    figure = Figure(figsize=(7.5, 4.2), layout='constrained')
    frequency = figure.add_subplot()
    frequency.bar(position, count[order], color='0.85', width=0.8)
    frequency.set_yscale('log')
    frequency.set_ylabel(f'training {by}s')
    accuracy = frequency.twinx()
    for (name, values), marker in zip(
        accuracies.items(), 'osD^v<>ph*' * len(accuracies), strict=False
    ):
        accuracy.plot(position, values[order], marker=marker, label=name)
    accuracy.set_ylabel(f'{measure} of the class (%)')
    accuracy.set_ylim(0, 100)
    accuracy.legend(loc='lower left')
    label_classes(frequency, stats, order)
    figure.savefig(path, dpi=150)


def label_classes(axes: Axes, stats: ClassStats, order: np.ndarray) -> None:
    """Write the names of up to 30 classes below an axis of 0, 1, ..., C - 1.

    Args:
        axes (Axes): The axes.
        stats (ClassStats): Statistics of the training set, C classes.
        order (np.ndarray): (C,) the class at each place.
    """
    if stats.classes is not None and stats.num_classes <= 30:
        names = [stats.classes[k] for k in order]
        axes.set_xticks(range(len(order)), names, rotation=30, ha='right')
    else:
        axes.set_xlabel('class, by falling frequency')


def class_rows(
    stats: ClassStats,
    names: Sequence[Any],
    groups: Sequence[str],
    values: dict[str, np.ndarray],
) -> list[list]:
    """The rows of a CSV file: headings, then the most frequent class first.

    Args:
        stats (ClassStats): Statistics of the training set.
        names (Sequence): C names of classes.
        groups (Sequence[str]): The name of the group of each class.
        values (dict[str, np.ndarray]): Heading to (C,) numbers.
    """
    rows = [['class', 'group', 'training images', *values]]
    for k in np.argsort(-stats.image_count, kind='stable'):
        numbers = [f'{column[k]:.2f}' for column in values.values()]
        rows.append([names[k], groups[k], stats.image_count[k], *numbers])
    return rows
