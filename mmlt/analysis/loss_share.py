"""Which part of the loss small, medium and large objects had in a run.

T iterations, S sizes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mmlt.class_stats.sizes import size_names

from .size_distribution import size_ranges

# Of an iteration's loss; below it, Stitcher stitches the next one.
SMALL_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class LossShares:
    """Shares of T iterations.

    Args:
        epoch (np.ndarray): (T,) from 1; of a run without epochs, tenths.
        share (np.ndarray): (T, S) in [0, 1], NaN without a positive.
        bounds (tuple): S - 1 areas in square pixels, the first of each next
            size.
        by_epoch (bool): Whether the run has more than one epoch.
    """

    epoch: np.ndarray
    share: np.ndarray
    bounds: tuple[float, ...]
    by_epoch: bool

    @property
    def sizes(self) -> list[str]:
        """S names."""
        return size_names(self.share.shape[1])

    def by(self) -> tuple[np.ndarray, np.ndarray]:
        """Epochs (E,), and the mean shares of their iterations (E, S)."""
        epochs, index = np.unique(self.epoch, return_inverse=True)
        known = ~np.isnan(self.share)
        sums = np.zeros((len(epochs), self.share.shape[1]))
        number = np.zeros_like(sums)
        np.add.at(sums, index, np.where(known, self.share, 0))
        np.add.at(number, index, known)
        with np.errstate(invalid='ignore'):
            return epochs, sums / number


def load_loss_shares(path: str | Path, loss: str = 'box') -> LossShares:
    """Read what ``mmlt.LossShareHook`` wrote.

    Args:
        path (str | Path): A ``loss_shares.jsonl``, or a folder of a run. Of
            several below it, those of a resumed run, a later one counts from
            its first iteration on.
        loss (str): ``'box'`` or ``'cls'``.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If the run did not measure this loss, or changed its
            bounds.
    """
    path = Path(path)
    files = [path]
    if not path.is_file():
        # Folders are named by the time.
        files = sorted(path.rglob('loss_shares.jsonl'))
    if not files:
        raise FileNotFoundError(
            f'{str(path)!r} has no loss_shares.jsonl; train with '
            "custom_hooks=[dict(type='mmlt.LossShareHook')]"
        )
    rows: list[dict] = []
    bounds = set()
    for file in files:
        lines = file.read_text(encoding='utf-8').splitlines()
        head, *more = map(json.loads, lines)
        bounds.add(tuple(head['bounds']))
        if more:
            first = more[0]['iter']
            rows = [row for row in rows if row['iter'] < first] + more
    if len(bounds) > 1:
        raise ValueError(
            f'{str(path)!r} has shares by other bounds, {sorted(bounds)}; '
            'give one loss_shares.jsonl'
        )
    known = rows[0].keys() - {'iter', 'epoch'} if rows else set()
    if loss not in known:
        raise ValueError(
            f'loss must be one that the run measured, {sorted(known)}, got '
            f'{loss!r}'
        )
    sums = np.array([row[loss] for row in rows])
    epoch = np.array([row['epoch'] for row in rows])
    by_epoch = epoch[0] != epoch[-1]
    if not by_epoch:
        epoch = np.arange(len(rows)) * 10 // len(rows) + 1
    with np.errstate(invalid='ignore'):
        share = sums / sums.sum(axis=1, keepdims=True)
    return LossShares(epoch, share, *bounds, by_epoch)


def summarize(shares: LossShares) -> list[dict]:
    """Mean, median and how often a size has little, of each size.

    Returns:
        list[dict]: ``size``, ``mean`` and ``median`` of the share, ``below``:
        share of the iterations in which it is below 0.1.
    """
    share = shares.share[~np.isnan(shares.share[:, 0])]
    return [
        dict(
            size=size,
            mean=float(column.mean()),
            median=float(np.median(column)),
            below=float((column < SMALL_SHARE).mean()),
        )
        for size, column in zip(shares.sizes, share.T, strict=True)
    ]


def draw_loss_shares(
    runs: Mapping[str, LossShares], path: str | Path, loss: str = 'box'
) -> None:
    """Draw the distribution over iterations, and the mean of each epoch.

    Above, for each size, how many of the iterations give it which share of
    the loss; below, its mean share over the epochs.

    Args:
        runs (Mapping[str, LossShares]): Runs by name.
        path (str | Path): The image file to write.
        loss (str): Which loss it is, for the labels.

    Raises:
        ValueError: If the runs have other bounds.
    """
    first = next(iter(runs.values()))
    if {run.bounds for run in runs.values()} != {first.bounds}:
        raise ValueError(
            'the runs have shares by other bounds, '
            f'{ {name: run.bounds for name, run in runs.items()} }; compare '
            'those of the same'
        )
    words = {'box': 'box regression loss', 'cls': 'loss of positives'}[loss]
    number = len(first.sizes)
    figure = Figure(figsize=(3.2 * number, 5.4), layout='constrained')
    axes = figure.subplots(2, number, sharey='row', squeeze=False)
    colors = colormaps['viridis'](np.linspace(0, 0.8, len(runs)))
    edges = np.linspace(0, 1, 21)
    for (name, run), color in zip(runs.items(), colors, strict=True):
        epochs, means = run.by()
        for size, (above, below) in enumerate(axes.T):
            share = run.share[:, size]
            share = share[~np.isnan(share)]
            counts, _ = np.histogram(share, edges)
            above.stairs(
                counts / max(len(share), 1),
                edges,
                color=color,
                fill=len(runs) == 1,
                linewidth=1.5,
            )
            below.plot(
                epochs, means[:, size], color=color, marker='.', label=name
            )
    units = {'epoch' if run.by_epoch else 'tenth' for run in runs.values()}
    ranges = size_ranges(first.bounds)
    for size, (above, below) in enumerate(axes.T):
        title = f'{first.sizes[size]}, {ranges[size]}'
        above.set_title(title, fontsize='medium')
        above.axvline(SMALL_SHARE, color='0.6', linestyle=':', linewidth=1)
        above.set_xlabel(f'share of the {words}')
        below.set_xlabel(' or '.join(sorted(units)) + ' of the run')
        below.xaxis.set_major_locator(MaxNLocator(integer=True))
        below.set_ylim(0, 1)
        below.grid(alpha=0.3)
    axes[0, 0].set_ylabel('share of the iterations')
    axes[1, 0].set_ylabel('mean share')
    handles, labels = axes[1, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc='outside lower center',
        ncols=min(len(runs), 4),
        frameon=False,
    )
    figure.savefig(path, dpi=120)
