"""Base of metrics that tell frequent from rare classes. C classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmlt.checks import check_switch
from mmlt.class_stats import ClassStats, check_by, check_groups
from mmlt.class_stats.labels import collect_labels
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.evaluation.functional import group_means
from mmlt.evaluation.tables import class_table

from .samples import label_of_first


class GroupedMetric(ClassStatsReceiver, BaseMetric):
    """A metric with a value for each class and the mean of each group.

    A subclass keeps results in ``process`` and makes them (C,) values in
    ``compute_metrics``, of which :meth:`group_results` makes entries of its
    result, named by ``group_key``. A group without any value is left out of
    the result, with a warning.

    Args:
        thresholds (Sequence[int] | str): Rising training counts, each the
            first of the next group, or the name of a paper's code, see
            :meth:`mmlt.class_stats.ClassStats.groups`.
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
        prefix (str | None): Instead of the default one.
        **kwargs: Of a metric that is inherited from, too.

    Raises:
        ValueError: If an argument is of no use.
        TypeError: If ``per_class`` is neither True nor False.
    """

    group_key = '{}'
    count_name = 'test images'

    def __init__(
        self,
        thresholds: Sequence[int] | str,
        group_names: Sequence[str],
        class_stats: Any = None,
        by: str = 'image',
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            collect_device=collect_device, prefix=prefix, **kwargs
        )
        check_by(by)
        self.thresholds = check_groups(thresholds, group_names)
        self.group_names = tuple(group_names)
        self.by = by
        self.per_class = check_switch('per_class', per_class)
        self.init_class_stats(class_stats)

    @property
    def class_names(self) -> Sequence[Any]:
        """C names, or numbers where nobody knows names."""
        names = (self.dataset_meta or {}).get('classes')
        stats = self.class_stats
        return names or stats.classes or range(stats.num_classes)

    def set_class_stats(self, stats: ClassStats) -> None:
        """Take ``stats``, unless the config has given others.

        Raises:
            ValueError: If the test set has other classes.
        """
        super().set_class_stats(stats)
        self.check_class_stats()

    def check_class_stats(self) -> None:
        """Raise unless there are statistics of the test set's classes.

        By now the data set is known. Statistics of another order are put in
        that of the test set.
        """
        super().check_class_stats()
        classes = (self.dataset_meta or {}).get('classes')
        stats = self.class_stats.aligned_to(classes, 'the test set')
        if stats is not self.class_stats:
            print_log(
                f'{type(self).__name__}: the classes of the test set have '
                'another order than those of the class statistics, which are '
                'put in that order',
                logger='current',
                level=logging.WARNING,
            )
            self._take(stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Group the classes."""
        self.groups = stats.groups(self.thresholds, self.by)
        self._empty_groups: set[str] = set()
        size = np.bincount(self.groups, minlength=len(self.group_names))
        self._warn_of_empty_groups(size == 0, 'training')

    def check_num_classes(self, name: str, num_classes: int) -> None:
        """Raise unless ``name`` has as many classes as the statistics."""
        if num_classes != self.class_stats.num_classes:
            raise ValueError(
                f'{name} has {num_classes} classes, but the class statistics '
                f'hold {self.class_stats.num_classes}; set num_classes of '
                'the head, or give class_stats of this data set'
            )

    def check_dataset(self, dataset: Any, best: Sequence[str]) -> None:
        """Raise if the metric cannot score a data set, before training.

        Args:
            dataset: The validation set.
            best (Sequence[str]): Names by which the best checkpoint is
                chosen; those of other metrics are left to these.

        Raises:
            ValueError: If it is of another kind, or a group that is to
                choose has no class in it.
        """
        self.check_kind(dataset)
        for group, name in enumerate(self.group_names):
            key = f'{self.prefix}/{self.group_key.format(name)}'
            if key not in best:
                continue
            labels = collect_labels(dataset).labels
            present = np.isin(np.arange(self.class_stats.num_classes), labels)
            if group not in self.groups[present]:
                raise ValueError(
                    f'save_best={key!r} is not in the results, since no class '
                    f'of the validation set is in the group {name!r} of '
                    f'thresholds={self.thresholds}; choose by another, or '
                    'change the thresholds'
                )

    def check_kind(self, dataset: Any) -> None:
        """Raise unless the data set has labels of the right kind."""
        self.check_label(label_of_first(dataset, type(self).__name__))

    def check_label(self, label: Any) -> None:
        """Raise if the metric is of no use for such labels.

        Args:
            label: That of the first image of the validation set: a number,
                a list of them, or None if it is not known.
        """

    def group_results(
        self, measure: str, values: np.ndarray, test_count: np.ndarray
    ) -> dict[str, float]:
        """Mean of each group; logs the table if ``per_class``.

        Args:
            measure (str): What the values are.
            values (np.ndarray): (C,) in percent; NaN where not known.
            test_count (np.ndarray): (C,) images of the test set, or what
                else ``count_name`` says.

        Returns:
            dict[str, float]: In percent, the most frequent group first.
        """
        if self.per_class:
            table = class_table(
                f'{measure[0].upper()}{measure[1:]} of each class (%)',
                self.class_names,
                [self.group_names[group] for group in self.groups],
                {
                    f'training {self.by}s': self.class_stats.count(self.by),
                    self.count_name: test_count,
                },
                {measure: values},
            )
            print_log(f'\n{table}', logger='current')
        means = group_means(values, self.groups, len(self.group_names))
        self._warn_of_empty_groups(np.isnan(means), 'test')
        return {
            self.group_key.format(self.group_names[group]): float(means[group])
            for group in reversed(range(len(means)))
            if not np.isnan(means[group])
        }

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


def is_single_label(stats: ClassStats) -> bool:
    """Whether each training image has one label."""
    return int(stats.image_count.sum()) == stats.num_images
