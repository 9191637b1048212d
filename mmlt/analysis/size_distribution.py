"""Long tail and scale of a training set in one figure. C classes, S sizes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmlt.class_stats.sizes import SizeStats


def size_ranges(bounds: tuple[float, ...]) -> list[str]:
    """In words, the areas of each size, by the sides of squares.

    Example:
        >>> size_ranges((1024, 9216))
        ['< 32²', '32² to 96²', '≥ 96²']
    """
    sides = [f'{bound**0.5:.4g}²' for bound in bounds]
    inner = [f'{low} to {high}' for low, high in pairwise(sides)]
    return [f'< {sides[0]}', *inner, f'≥ {sides[-1]}']


def draw_size_distribution(stats: SizeStats, path: str | Path) -> None:
    """Draw the objects of each class, most frequent first, and their sizes.

    Above, the number of objects on a logarithmic axis; below, the share of
    each size among those of a class; the legend has the shares of all.

    Args:
        stats (SizeStats): Objects by class and size.
        path (str | Path): The image file to write.
    """
    count = stats.box_count.sum(axis=1)
    order = np.argsort(-count, kind='stable')
    order = order[count[order] > 0]
    edges = np.arange(len(order) + 1) + 0.5
    figure = Figure(figsize=(8, 5), layout='constrained')
    tail, scale = figure.subplots(
        2, sharex=True, gridspec_kw=dict(height_ratios=(2, 3))
    )
    tail.stairs(count[order], edges, fill=True, color='0.6', baseline=0.8)
    tail.set_yscale('log')
    tail.set_ylim(bottom=0.8)
    tail.set_ylabel('objects')
    empty = len(count) - len(order)
    missing = f', of which {empty} without an object' if empty else ''
    tail.set_title(
        f'{len(count)} classes{missing}, {count.sum()} objects, '
        f'{stats.num_images} images',
        fontsize='medium',
    )
    below = np.zeros(len(order))
    colors = colormaps['viridis'](np.linspace(0.1, 0.9, len(stats.sizes)))
    for size, words in enumerate(size_ranges(stats.bounds)):
        above = below + stats.class_share[order, size]
        scale.stairs(
            above,
            edges,
            baseline=below,
            fill=True,
            color=colors[size],
            label=f'{stats.sizes[size]} ({words}): '
            f'{stats.box_share[size]:.1%} of the objects, '
            f'in {stats.image_share[size]:.1%} of the images',
        )
        below = above
    scale.set_xlim(0.5, len(order) + 0.5)
    scale.set_ylim(0, 1)
    scale.set_xlabel('class, by falling frequency')
    scale.set_ylabel('share of its objects')
    figure.legend(loc='outside lower center', frameon=False)
    figure.savefig(path, dpi=120)
