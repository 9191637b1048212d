"""Runs of several methods over the same seeds, compared in pairs.

S seeds. A run is the folder of a seed below that of its method.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel

from .decoupling_grid import final_values


def values_by_seed(folder: str | Path, metric: str) -> dict[str, float]:
    """The last value of a metric in each run of a method, by seed.

    Args:
        folder (str | Path): With a work folder for each seed, of a training
            or of a test.
        metric (str): Name in the logs, such as ``'lvis/bbox_AP'``.

    Raises:
        FileNotFoundError: If there is none, or no log in one.
        ValueError: If a log does not hold the metric.
    """
    seeds = sorted(path for path in Path(folder).glob('*') if path.is_dir())
    if not seeds:
        raise FileNotFoundError(
            f'{folder}: expected a folder for each seed there, as written by '
            'tools/train.py --work-dir METHOD/SEED'
        )
    return {seed.name: _value(seed, metric) for seed in seeds}


def _value(folder: Path, metric: str) -> float:
    """That of a test, which leaves one file of its metrics, or training."""
    for path in sorted(folder.glob('*/*.json'), reverse=True):
        content = json.loads(path.read_text(encoding='utf-8'))
        if metric in content:
            return float(content[metric])
    return final_values(folder, metric)[-1]


def paired_table(
    folders: Sequence[str | Path], base: str | Path, metrics: Sequence[str]
) -> list[dict]:
    """What each method has, ranked by the first metric.

    Args:
        folders (Sequence[str | Path]): Of the methods.
        base (str | Path): One of them, with which the others are compared.
        metrics (Sequence[str]): Names in the logs.

    Returns:
        list[dict]: For each method ``name``, ``rank``, ``mean`` and ``sd``
        (lists, one number a metric; of the sample, nan for one seed), ``gain``
        over the base in the first metric, and ``p``, that of Student's paired
        two-sided t-test over the seeds. A method of one run, which has no
        seed to vary, is compared with each run of the base.

    Raises:
        FileNotFoundError: If a method has no runs.
        ValueError: If a metric is missing, or the seeds differ from the
            base's.
    """
    rows = []
    known = values_by_seed(base, metrics[0])
    for folder in folders:
        found = [values_by_seed(folder, metric) for metric in metrics]
        one = min(len(found[0]), len(known)) == 1
        if not one and found[0].keys() != known.keys():
            raise ValueError(
                f'{folder} has the seeds {[*found[0]]}, but base {base} '
                f'{[*known]}; run the same'
            )
        values = np.array([[*each.values()] for each in found])
        reference = np.array([*known.values()])
        first, reference = np.broadcast_arrays(values[0], reference)
        untestable = Path(folder) == Path(base) or len(first) < 2
        rows.append(
            dict(
                name=Path(folder).name,
                mean=values.mean(1).tolist(),
                sd=(
                    values.std(1, ddof=1).tolist()
                    if values.shape[1] > 1
                    else [np.nan] * len(metrics)
                ),
                gain=float((first - reference).mean()),
                p=(
                    np.nan
                    if untestable
                    else float(ttest_rel(first, reference).pvalue)
                ),
            )
        )
    rows.sort(key=lambda row: -row['mean'][0])
    return [dict(row, rank=rank) for rank, row in enumerate(rows, 1)]
