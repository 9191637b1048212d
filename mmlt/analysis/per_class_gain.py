"""What one run gains over another, class by class. C classes, G groups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmlt.analysis.class_frequency import group_ranges
from mmlt.analysis.per_class_accuracy import label_classes
from mmlt.class_stats import ClassStats
from mmlt.evaluation.functional import group_means


def draw_per_class_gain(
    stats: ClassStats,
    gain: np.ndarray,
    path: str | Path,
    thresholds: Sequence[int] = (20, 101),
    group_names: Sequence[str] = ('tail', 'medium', 'head'),
    measure: str = 'AP',
    title: str = '',
) -> None:
    """Draw a bar for each class, the most frequent first, by group.

    Dashed lines and the legend show the mean of each group.

    Args:
        stats (ClassStats): Statistics of the training set.
        gain (np.ndarray): (C,) differences in points of percent; NaN leaves
            a gap.
        path (str | Path): The image file to write.
        thresholds (Sequence[int]): Counts of training images, each the first
            of the next group.
        group_names (Sequence[str]): G names, rarest first.
        measure (str): What the values are, for the label of the axis.
        title (str): Above the figure.

    Raises:
        ValueError: If there is not one gain for each class, or one name for
            each group.
    """
    if len(gain) != stats.num_classes:
        raise ValueError(
            f'gain has {len(gain)} entries, but there are '
            f'{stats.num_classes} classes'
        )
    ranges = group_ranges(thresholds)
    if len(group_names) != len(ranges):
        raise ValueError(
            f'group_names must hold {len(ranges)} names for '
            f'thresholds={tuple(thresholds)}, got {tuple(group_names)}'
        )
    order = np.argsort(-stats.image_count, kind='stable')
    group = stats.groups(thresholds)
    means = group_means(gain, group, len(ranges))
    colors = colormaps['viridis'](np.linspace(0, 0.85, len(ranges)))
    figure = Figure(figsize=(8, 4), layout='constrained')
    axes = figure.add_subplot()
    for g in reversed(range(len(ranges))):
        place = np.flatnonzero(group[order] == g)
        if np.isnan(means[g]):
            continue
        name = f'{group_names[g]} ({ranges[g]} images): {means[g]:+.1f}'
        axes.bar(place, gain[order][place], color=colors[g], label=name)
        ends = place[0] - 0.5, place[-1] + 0.5
        axes.hlines(means[g], *ends, color=colors[g], linestyles='--')
    axes.axhline(0, color='black', linewidth=0.8)
    axes.set_ylabel(f'gain in {measure} (points)')
    axes.set_title(title, fontsize='medium')
    axes.grid(axis='y', alpha=0.3)
    axes.set_axisbelow(True)
    label_classes(axes, stats, order)
    figure.legend(
        loc='outside lower center', ncols=min(len(ranges), 3), frameon=False
    )
    figure.savefig(path, dpi=100)
