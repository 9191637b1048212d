"""The frequency curve of a training set. C classes, G groups."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmlt.class_stats import ClassStats, check_thresholds


def group_ranges(thresholds: Sequence[int] | str) -> list[str]:
    """In words, the counts of each group, the rarest first.

    Args:
        thresholds (Sequence[int] | str): As in
            :meth:`mmlt.class_stats.ClassStats.groups`.

    Returns:
        list[str]: G = len(thresholds) + 1 ranges.

    Example:
        >>> group_ranges((20, 101))
        ['< 20', '20 to 100', '> 100']
    """
    thresholds = check_thresholds(thresholds)
    if not thresholds:
        return ['all']
    inner = [
        f'{low} to {high - 1}' if high - 1 > low else f'{low}'
        for low, high in pairwise(thresholds)
    ]
    return [f'< {thresholds[0]}', *inner, f'> {thresholds[-1] - 1}']


def draw_class_frequency(
    stats: ClassStats,
    path: str | Path,
    thresholds: Sequence[int] = (20, 101),
    by: str = 'image',
) -> None:
    """Draw the counts of the classes, sorted, on logarithmic axes.

    Classes without images have no place on them; the legend counts them.

    Args:
        stats (ClassStats): Class statistics.
        path (str | Path): The image file to write.
        thresholds (Sequence[int]): Groups to colour, see
            :meth:`mmlt.class_stats.ClassStats.groups`.
        by (str): ``'image'`` or ``'instance'`` counts.
    """
    groups = stats.groups(thresholds, by)
    ranges = group_ranges(thresholds)
    count = stats.count(by)
    order = np.argsort(-count, kind='stable')
    rank = np.arange(1, stats.num_classes + 1)
    colors = colormaps['viridis'](np.linspace(0, 0.85, len(ranges)))
    figure = Figure(figsize=(6.5, 4.2), layout='constrained')
    axes = figure.add_subplot()
    axes.plot(rank, np.maximum(count[order], 0.5), color='0.8', zorder=1)
    for group in reversed(range(len(ranges))):
        inside = groups[order] == group
        if inside.any():
            axes.scatter(
                rank[inside],
                count[order][inside],
                color=[colors[group]],
                s=12,
                label=f'{ranges[group]} {by}s: {inside.sum()} classes',
            )
    empty = int((count == 0).sum())
    if empty:
        axes.plot([], [], ' ', label=f'(of these, without {by}s: {empty})')
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.set_ylim(bottom=0.8)
    axes.set_xlabel('class, by falling frequency')
    axes.set_ylabel(f'training {by}s')
    axes.set_title(
        f'{stats.num_classes} classes, {stats.num_images} images, '
        f'Gini {stats.gini(by):.2f}',
        fontsize='medium',
    )
    axes.legend(loc='lower left', frameon=False)
    figure.savefig(path, dpi=150)
