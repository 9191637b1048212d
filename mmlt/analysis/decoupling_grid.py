"""How features and classifiers go together: the grid of BBN's Figure 2.

R representations (rows), K classifiers (columns), S runs of each pair.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

NAMES = {
    'ce': 'cross entropy',
    'rw': 're-weighting',
    'rs': 're-sampling',
}


def final_values(folder: str | Path, metric: str) -> list[float]:
    """The last value of a metric in each run below a folder.

    A run is a folder of the time at which it began, as MMEngine makes them;
    of those in one work folder (a resumed run), the latest counts.

    Args:
        folder (str | Path): A work folder, or one with a work folder for each
            seed.
        metric (str): Name in the logs, such as ``'accuracy/balanced'``.

    Raises:
        FileNotFoundError: If no run has left a log there.
        ValueError: If the log of a run does not hold the metric.
    """
    runs = {}
    for log in sorted(Path(folder).rglob('vis_data/scalars.json')):
        runs[log.parents[2]] = log
    if not runs:
        raise FileNotFoundError(
            f'{folder}: no run has left vis_data/scalars.json there; train '
            'first'
        )
    values = []
    for log in runs.values():
        text = log.read_text(encoding='utf-8')
        lines = [json.loads(line) for line in text.splitlines()]
        found = [line[metric] for line in lines if metric in line]
        if not found:
            names = sorted({name for line in lines for name in line})
            raise ValueError(
                f'metric: {log} does not hold {metric!r}, but {names}; a run '
                'that has not ended has no validation yet'
            )
        values.append(float(found[-1]))
    return values


def grid(
    pattern: str,
    metric: str = 'accuracy/balanced',
    names: Sequence[str] = tuple(NAMES),
) -> list[list[list[float]]]:
    """Error rates in percent of all pairs, (R, K, S).

    Args:
        pattern (str): Folder of the runs of a pair, with ``{features}`` and
            ``{classifier}`` in the place of their names.
        metric (str): Of accuracy, in percent.
        names (Sequence[str]): Of representations and classifiers.

    Raises:
        ValueError: If the pattern lacks one of the two.
        FileNotFoundError: If a pair has no runs.
    """
    for field in ('{features}', '{classifier}'):
        if field not in pattern:
            raise ValueError(
                f'pattern: {pattern!r} lacks {field}; expected a folder such '
                "as 'work_dirs/grid-{features}-{classifier}_resnet32_30e_"
                "cifar10-lt-if50'"
            )
    return [
        [
            [
                100 - value
                for value in final_values(
                    pattern.replace('{features}', features).replace(
                        '{classifier}', classifier
                    ),
                    metric,
                )
            ]
            for classifier in names
        ]
        for features in names
    ]


def draw_grid(
    path: str | Path,
    errors: Sequence[Sequence[Sequence[float]]],
    names: Sequence[str] = tuple(NAMES),
    title: str = '',
) -> None:
    """Draw mean and standard deviation of each pair.

    Args:
        path (str | Path): The image file to write.
        errors (Sequence): (R, K, S) percent, of any number S of runs.
        names (Sequence[str]): Of representations and classifiers.
        title (str): Of the figure.
    """
    mean = np.array([[np.mean(runs) for runs in row] for row in errors])
    figure = Figure(figsize=(5, 4), layout='constrained')
    axes = figure.add_subplot()
    image = axes.imshow(mean, cmap='viridis_r')
    middle = (mean.min() + mean.max()) / 2
    for row, column in np.ndindex(*mean.shape):
        runs = errors[row][column]
        text = f'{mean[row, column]:.1f}'
        if len(runs) > 1:
            text += f'\n± {np.std(runs, ddof=1):.1f}'
        axes.text(
            column,
            row,
            text,
            ha='center',
            va='center',
            color='white' if mean[row, column] > middle else 'black',
        )
    labels = [NAMES.get(name, name) for name in names]
    axes.set_xticks(range(len(names)), labels)
    axes.set_yticks(range(len(names)), labels, rotation=90, va='center')
    axes.set(xlabel='classifier', ylabel='representation', title=title)
    figure.colorbar(image, label='error (%)')
    figure.savefig(path, dpi=100)
