"""From a config and runs to the numbers of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmlt.analysis.report.run_numbers import describe_run
from mmlt.analysis.report.runs import check_same_samples, find_run
from mmlt.analysis.report.training_set import describe_training_set
from mmlt.class_stats import (
    ClassStats,
    check_groups,
    collect_class_stats,
)
from mmlt.engine.launch import build_training_set, read_config

GROUPS = ((20, 101), ('few', 'medium', 'many'))
LVIS_GROUPS = ((11, 101), ('rare', 'common', 'frequent'))


def build_report(
    config: str,
    runs: Sequence[str] = (),
    options: dict[str, Any] | None = None,
    thresholds: Sequence[int] | None = None,
    group_names: Sequence[str] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> tuple[dict, ClassStats]:
    """Count a training set and look at runs.

    Args:
        config (str): As in :func:`mmlt.engine.launch.read_config`.
        runs (Sequence[str]): As in
            :func:`mmlt.analysis.report.runs.find_run`.
        options (dict | None): Fields of the config to set.
        thresholds (Sequence[int] | None): Counts of images, each the first
            of the next group. Defaults to None: those of the config's metric,
            else (20, 101), for LVIS (11, 101).
        group_names (Sequence[str] | None): One more, rarest first. Defaults
            to None: those of the metric, else few, medium and many, for LVIS
            rare, common and frequent.
        say (Callable): Is told what is going on.

    Returns:
        tuple: The numbers, and the statistics of the training set.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If runs are of other data than the config's, or of
            different data.
    """
    found = [find_run(text) for text in runs]
    twice = [n for n, k in Counter(run.name for run in found).items() if k > 1]
    if twice:
        raise ValueError(
            f'runs: {twice[0]!r} names two of them; give names, NAME=PATH'
        )
    cfg = read_config(config, options)
    metrics = _metrics(cfg)
    thresholds, names = _groups(metrics, thresholds, group_names)
    say('reading the labels of the training set')
    dataset = build_training_set(config, options)
    stats = collect_class_stats(dataset)
    say(
        f'{stats.num_images:,} images, {stats.instance_count.sum():,} labels, '
        f'{stats.num_classes:,} classes'
    )
    facts = begin_report(Path(config).stem, dataset, stats, thresholds, names)
    for run in found:
        say(f'looking at {run.name}')
        facts['runs'].append(
            describe_run(
                run,
                facts['task'],
                stats,
                thresholds,
                names,
                config,
                _test_ann_file(cfg, metrics),
                _ann_file(cfg.train_dataloader.dataset),
            )
        )
    check_same_samples(found)
    _add_gains(facts['runs'])
    return facts, stats


def begin_report(
    title: str,
    dataset: Any,
    stats: ClassStats,
    thresholds: Sequence[int],
    names: Sequence[str],
) -> dict:
    """The numbers of a report without runs.

    Args:
        title (str): Of the page.
        dataset: As in :func:`mmlt.class_stats.labels.collect_labels`.
        stats (ClassStats): Of it.
        thresholds (Sequence[int]): Counts of images, each the first of the
            next group.
        names (Sequence[str]): Of the groups, rarest first.
    """
    return {
        'title': title,
        'version': version('mmlt'),
        'thresholds': list(thresholds),
        'group_names': list(names),
        **describe_training_set(dataset, stats, thresholds, names),
        'runs': [],
    }


def _metrics(cfg: Config) -> list[dict]:
    """Configs of the metrics, those of the test first."""
    metrics = []
    for stage in ('test', 'val'):
        evaluator = cfg.get(f'{stage}_evaluator') or []
        metrics += [evaluator] if isinstance(evaluator, dict) else evaluator
    return metrics


def _groups(
    metrics: Sequence[dict],
    thresholds: Sequence[int] | None,
    names: Sequence[str] | None,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """What is given, else what the metrics say, else the usual."""
    lvis = any('LVIS' in str(metric.get('type')) for metric in metrics)
    usual = LVIS_GROUPS if lvis else GROUPS
    said = [metric for metric in metrics if 'thresholds' in metric]
    if thresholds is None:
        thresholds = said[0]['thresholds'] if said else usual[0]
    if names is None:
        said = [metric for metric in metrics if 'group_names' in metric]
        names = said[0]['group_names'] if said else usual[1]
    return check_groups(thresholds, names), tuple(names)


def _test_ann_file(cfg: Config, metrics: Sequence[dict]) -> str | None:
    """The annotations that detections are tested with."""
    for metric in metrics:
        if metric.get('ann_file'):
            return metric['ann_file']
    return _ann_file((cfg.get('test_dataloader') or {}).get('dataset') or {})


def _ann_file(dataset: dict) -> str | None:
    """The annotations of a data set, below its wrappers."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    if not dataset.get('ann_file'):
        return None
    return str(Path(dataset.get('data_root') or '', dataset['ann_file']))


def _add_gains(runs: Sequence[dict]) -> None:
    """What each run gains over the first one that has scores."""
    scored = [run for run in runs if 'scores' in run]
    for run in scored[1:]:
        gain = np.subtract(run['scores'], scored[0]['scores'])
        run['gain'] = gain.tolist()
