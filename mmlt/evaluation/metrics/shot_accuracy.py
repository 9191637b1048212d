"""Accuracy of frequent and of rare classes. B batch, C classes, N samples."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from rich.box import ASCII
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mmlt.class_stats import ClassStats, check_by, check_thresholds
from mmlt.class_stats.receiver import HOW_TO_GIVE_STATS
from mmlt.evaluation.functional import group_means, per_class_recall
from mmlt.registry import METRICS


@METRICS.register_module()
class ShotAccuracy(BaseMetric):
    """Top-k, balanced, and many- / medium- / few-shot accuracy in percent.

    Groups follow `Large-Scale Long-Tailed Recognition in an Open World
    <https://arxiv.org/abs/1904.05160>`_: more than 100, 20 to 100, and fewer
    than 20 training images.

    The result holds ``top{k}``, ``balanced`` (mean recall of the classes) and
    one entry for each group: the **mean of its classes' accuracies**, as the
    literature has it, not the accuracy over its samples. These means are of
    top-1 accuracies and over the classes that occur in the test set. A group
    without such a class is left out of the result, with a warning.

    Args:
        topk (int | Sequence[int]): Which top-k accuracies to report.
        thresholds (Sequence[int]): Rising training counts, each the first of
            the next group, see :meth:`mmlt.class_stats.ClassStats.groups`.
        group_names (Sequence[str]): Names of the groups, rarest first; one
            more than ``thresholds``.
        class_stats (ClassStats | dict | list | str | None): Training
            frequencies, see :meth:`mmlt.class_stats.ClassStats.from_any`.
            Defaults to None: ``ClassStatsHook`` or the checkpoint gives them.
        by (str): Group by ``'image'`` or ``'instance'`` counts.
        per_class (bool): Whether to log a table of all classes, sorted by
            training frequency.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
        prefix (str | None): Instead of ``'accuracy'``.

    Raises:
        ValueError: If ``topk``, ``thresholds``, ``group_names`` or ``by`` is
            of no use.

    Example:
        >>> val_evaluator = dict(type='mmlt.ShotAccuracy', topk=(1, 5))
    """

    default_prefix = 'accuracy'

    def __init__(
        self,
        topk: int | Sequence[int] = (1,),
        thresholds: Sequence[int] = (20, 101),
        group_names: Sequence[str] = ('few', 'medium', 'many'),
        class_stats: Any = None,
        by: str = 'image',
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        if not self.topk or min(self.topk) < 1:
            raise ValueError(f'topk must hold numbers >= 1, got {topk}')
        check_thresholds(thresholds)
        check_by(by)
        self.thresholds = tuple(thresholds)
        self.group_names = tuple(group_names)
        self.by = by
        self.per_class = per_class
        self._check_group_names()
        self.class_stats: ClassStats | None = None
        self.class_stats_given = class_stats is not None
        if self.class_stats_given:
            self._store(ClassStats.from_any(class_stats))

    def set_class_stats(self, stats: ClassStats) -> None:
        """Take ``stats``, unless the config has given others.

        Raises:
            ValueError: If the test set has another number of classes.
        """
        if not self.class_stats_given:
            self._store(stats)
        classes = (self.dataset_meta or {}).get('classes')
        if classes is not None:
            self._check_num_classes('the test set', len(classes))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the label and its position in the ranking of each sample.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``gt_label`` (1,) and either
                ``pred_score`` (C,) or, for ``topk=1``, ``pred_label`` (1,).

        Raises:
            ValueError: If there are no class statistics, or they or the
                samples do not fit.
        """
        if self.class_stats is None:
            raise ValueError(
                f'ShotAccuracy has no class statistics: {HOW_TO_GIVE_STATS}'
            )
        target = torch.cat([_label(sample) for sample in data_samples])
        depth = max(self.topk)
        if 'pred_score' in data_samples[0]:
            score = torch.stack([item['pred_score'] for item in data_samples])
            self._check_num_classes('pred_score', score.size(1))
            if depth > score.size(1):
                raise ValueError(
                    f'topk={self.topk} needs more than the {score.size(1)} '
                    'classes of pred_score'
                )
            ranking = score.topk(depth).indices
        elif self.topk == (1,):
            ranking = torch.stack(
                [item['pred_label'].reshape(1) for item in data_samples]
            )
        else:
            raise ValueError(
                f'topk={self.topk} needs pred_score, but the model predicts '
                'pred_label only; use topk=1'
            )
        hit = ranking == target.to(ranking.device)[:, None]
        position = torch.where(hit.any(1), hit.int().argmax(1), depth)
        self.results += zip(target.tolist(), position.tolist(), strict=True)

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict:
        """Reduce the results of all ranks.

        Args:
            results (list[tuple[int, int]]): Label and its position in the
                ranking of each of N samples.

        Returns:
            dict[str, float]: Accuracies in percent.
        """
        if not results:
            return {}
        labels, position = np.array(results).T
        metrics = {
            f'top{k}': 100 * float((position < k).mean()) for k in self.topk
        }
        stats = self.class_stats
        recall = 100 * per_class_recall(
            position < 1, labels, stats.num_classes
        )
        metrics['balanced'] = float(np.nanmean(recall))
        groups = stats.groups(self.thresholds, self.by)
        means = group_means(recall, groups, len(self.group_names))
        self._warn_of_empty_groups(np.isnan(means), 'test')
        for group in reversed(range(len(means))):
            if not np.isnan(means[group]):
                metrics[self.group_names[group]] = float(means[group])
        if self.per_class:
            test_count = np.bincount(labels, minlength=stats.num_classes)
            self._log_table(recall, groups, test_count)
        return metrics

    def _store(self, stats: ClassStats) -> None:
        groups = stats.groups(self.thresholds, self.by)
        self.class_stats = stats
        self._empty_groups: set[str] = set()
        size = np.bincount(groups, minlength=len(self.group_names))
        self._warn_of_empty_groups(size == 0, 'training')

    def _warn_of_empty_groups(self, empty: np.ndarray, split: str) -> None:
        """Warn of what was not warned of before."""
        names = {self.group_names[group] for group in np.flatnonzero(empty)}
        for name in sorted(names - self._empty_groups):
            print_log(
                f'{type(self).__name__}: no class of the {split} set is in '
                f'the group {name!r} of thresholds={self.thresholds}, so the '
                'result does not hold it',
                logger='current',
                level=logging.WARNING,
            )
        self._empty_groups |= names

    def _check_group_names(self) -> None:
        names = self.group_names
        if len(names) != len(self.thresholds) + 1:
            raise ValueError(
                f'group_names must hold {len(self.thresholds) + 1} names for '
                f'thresholds={self.thresholds}, got {names}'
            )
        taken = {'balanced', *(f'top{k}' for k in self.topk)}
        if len(set(names)) < len(names) or taken & set(names):
            raise ValueError(
                f'group_names must differ from each other and from '
                f'{sorted(taken)}, got {names}'
            )

    def _check_num_classes(self, name: str, num_classes: int) -> None:
        if num_classes != self.class_stats.num_classes:
            raise ValueError(
                f'{name} has {num_classes} classes, but the class statistics '
                f'hold {self.class_stats.num_classes}; set num_classes of '
                'the head, or give class_stats of this data set'
            )

    def _log_table(
        self,
        values: np.ndarray,
        groups: np.ndarray,
        test_count: np.ndarray,
        heading: str = 'accuracy',
    ) -> None:
        train_count = self.class_stats.count(self.by)
        names = (self.dataset_meta or {}).get('classes')
        names = names or self.class_stats.classes or range(len(values))
        title = f'{heading[0].upper()}{heading[1:]} of each class (%)'
        table = Table(title=title, box=ASCII)
        table.add_column('class')
        table.add_column('group')
        for column in (f'training {self.by}s', 'test images', heading):
            table.add_column(column, justify='right')
        for k in np.argsort(-train_count, kind='stable'):
            table.add_row(
                str(names[k]),
                self.group_names[groups[k]],
                str(train_count[k]),
                str(test_count[k]),
                f'{values[k]:.2f}' if test_count[k] else '-',
            )
        text = io.StringIO()
        Console(file=text, width=100, markup=False, emoji=False).print(table)
        print_log('\n' + text.getvalue(), logger='current')


def _label(sample: dict) -> Tensor:
    """(1,) label of a sample."""
    label = sample.get('gt_label')
    if label is None or label.numel() != 1:
        raise ValueError(
            f'gt_label must be one class for each sample, got {label}; '
            'ShotAccuracy is for single-label data with annotations'
        )
    return label.reshape(1)
