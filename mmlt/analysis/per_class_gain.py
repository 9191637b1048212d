"""What one run gains over another, class by class.

N samples, C classes, G groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure

from mmlt.analysis.class_frequency import group_ranges
from mmlt.analysis.per_class_accuracy import label_classes
from mmlt.class_stats import ClassStats, check_groups
from mmlt.class_stats.storage import load_tensors
from mmlt.evaluation.functional import class_average_precision, group_means


def load_logits(path: str | Path) -> dict:
    """Read logits and labels of multi-label data.

    Args:
        path (str | Path): What ``mmlt.DumpLogits`` wrote.

    Returns:
        dict: ``logits`` and ``labels`` (N, C), ``sample_idx`` (N,).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else.
    """
    dump = load_tensors(path, 'logits')
    missing = {'logits', 'labels', 'sample_idx'} - set(dump)
    if missing or dump['labels'].shape != dump['logits'].shape:
        raise ValueError(
            f'logits: {str(path)!r} holds none of multi-label data; write it '
            'with tools/test.py --multi-label --dump-logits'
        )
    return dump


def training_stats(
    class_stats: str | None, checkpoints: Sequence[str]
) -> ClassStats:
    """What is given, or what the checkpoints agree on.

    Args:
        class_stats (str | None): JSON or checkpoint.
        checkpoints (Sequence[str]): Paths of the runs' checkpoints.

    Raises:
        ValueError: If there are none, or they differ.
    """
    files = checkpoints if class_stats is None else [class_stats]
    if not files:
        raise ValueError(
            'class_stats: logits do not tell the training counts; give '
            '--class-stats'
        )
    first, *others = map(ClassStats.from_any, files)
    for stats in others:
        difference = first.difference(stats)
        if difference is not None:
            raise ValueError(
                'class_stats: the checkpoints were trained on different '
                f'data ({difference}); choose with --class-stats'
            )
    return first


def compare_runs(
    base: dict, run: dict, stats: ClassStats
) -> tuple[np.ndarray, np.ndarray]:
    """Average precision of each class, of two runs on the same data.

    Args:
        base (dict): From :func:`load_logits`.
        run (dict): The same, of the other run.
        stats (ClassStats): Statistics of the training set.

    Returns:
        tuple[np.ndarray, np.ndarray]: (C,) in percent of each; NaN for a
        class without positives.

    Raises:
        ValueError: If the logits are of other samples or classes.
    """
    for key in ('sample_idx', 'labels'):
        if not torch.equal(base[key], run[key]):
            raise ValueError(
                f'base and run differ in {key}; test both on the same data'
            )
    num_classes = run['logits'].shape[1]
    if num_classes != stats.num_classes:
        raise ValueError(
            f'class_stats: {stats.num_classes} classes, but the logits have '
            f'{num_classes}; give those of the training set'
        )
    return tuple(
        class_average_precision(dump['logits'].numpy(), dump['labels'].numpy())
        for dump in (base, run)
    )


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
    check_groups(thresholds, group_names)
    ranges = group_ranges(thresholds)
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
