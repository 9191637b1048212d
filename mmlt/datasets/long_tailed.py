"""Long-tailed subsets of balanced data sets.

C classes, N images of the wrapped data set, M <= N images kept.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmlt.checks import is_number
from mmlt.class_stats import ClassStats
from mmlt.class_stats.labels import ImageLabels
from mmlt.registry import DATASETS

from .subset import Subset, check_int


def exponential_counts(
    max_count: int, imbalance_factor: float, num_classes: int
) -> np.ndarray:
    """Images a class, ``n_k = floor(n_max * IF^(-k / (C - 1)))``.

    The profile of long-tailed CIFAR in `Class-Balanced Loss
    <https://arxiv.org/abs/1901.05555>`_, section 5.1.

    Args:
        max_count (int): ``n_max``, images of class 0.
        imbalance_factor (float): ``IF = n_max / n_min``.
        num_classes (int): C.

    Returns:
        np.ndarray: (C,) int64, falling.
    """
    share = imbalance_factor ** -np.linspace(0, 1, num_classes)
    return _floor(max_count * share)


def step_counts(
    max_count: int, imbalance_factor: float, num_classes: int
) -> np.ndarray:
    """Images a class: the first half keeps n_max, the rest n_max / IF.

    The profile of `A systematic study of the class imbalance problem
    <https://arxiv.org/abs/1710.05381>`_. If C is odd, the middle class
    keeps n_max.

    Args:
        max_count (int): ``n_max``, images of each class of the first half.
        imbalance_factor (float): ``IF = n_max / n_min``.
        num_classes (int): C.

    Returns:
        np.ndarray: (C,) int64.
    """
    counts = np.full(num_classes, max_count, dtype=np.int64)
    counts[(num_classes + 1) // 2 :] = _floor(max_count / imbalance_factor)
    return counts


def _floor(count: Any) -> np.ndarray:
    # 59.999999999 is 60 with a rounding error of the power.
    return np.floor(np.round(count, 6)).astype(np.int64)


PROFILES = {'exponential': exponential_counts, 'step': step_counts}


@DATASETS.register_module()
class LongTailedDataset(Subset):
    """Keep a long-tailed part of a single-label data set.

    Which images these are depends on the labels, the counts and ``seed``
    alone, so all ranks agree, and of two subsets with the same seed the one
    with lower counts is a part of the other.

    Args:
        dataset (dict | object): A data set of MMPretrain, or a wrapper of
            one, or its config.
        imbalance_factor (float | None): Images of the largest class over
            those of the smallest, >= 1. Either this or ``counts``.
        profile (str): How the images a class fall from class 0 to the last,
            ``'exponential'`` (:func:`exponential_counts`) or ``'step'``
            (:func:`step_counts`).
        counts (Sequence[int] | None): (C,) images to keep of each class.
        max_count (int | None): Images of class 0. Defaults to the number
            that the smallest class of ``dataset`` has.
        seed (int): Decides which images of a class are kept.
        lazy_init (bool): Whether to leave reading the annotations to
            :meth:`full_init`.

    Raises:
        ValueError: If an argument is out of its range, a class has fewer
            images than are asked for, or an image has not exactly one label.
        TypeError: If an argument has a wrong type.

    Example:
        >>> train_dataloader = dict(
        ...     dataset=dict(
        ...         type='mmlt.LongTailedDataset',
        ...         imbalance_factor=100,
        ...         dataset=dict(type='CIFAR10', data_root='data/cifar10')))
    """

    def __init__(
        self,
        dataset: Any,
        imbalance_factor: float | None = None,
        profile: str = 'exponential',
        counts: Sequence[int] | None = None,
        max_count: int | None = None,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if (counts is None) == (imbalance_factor is None):
            raise ValueError(
                'give either imbalance_factor or counts, got '
                f'imbalance_factor={imbalance_factor} and counts={counts}'
            )
        if counts is not None and max_count is not None:
            raise ValueError(
                f'max_count={max_count} belongs to imbalance_factor; with '
                'counts, leave it out'
            )
        if imbalance_factor is not None:
            _check_imbalance_factor(imbalance_factor)
        if profile not in [*PROFILES]:
            raise ValueError(
                f'profile must be one of {sorted(PROFILES)}, got {profile!r}'
            )
        if max_count is not None:
            check_int('max_count', max_count, 1)
        check_int('seed', seed, 0)
        if counts is not None:
            try:
                counts = ClassStats.single_label(counts).image_count
            except ValueError as error:
                raise ValueError(f'counts: {error}') from error
        self.imbalance_factor = imbalance_factor
        self.profile = profile
        self.max_count = max_count
        self.seed = seed
        self._counts = counts
        super().__init__(dataset, lazy_init)

    def choose(self, labels: ImageLabels) -> np.ndarray:
        """Positions of the images to keep, rising."""
        labels = _single_labels(labels)
        classes = self.metainfo.get('classes')
        num_classes = len(classes) if classes else int(labels.max()) + 1
        present = np.bincount(labels, minlength=num_classes)
        if len(present) > num_classes:
            raise ValueError(
                f'dataset has the label {len(present) - 1} but only '
                f'{num_classes} classes; correct metainfo=dict(classes=...) '
                'or the annotations'
            )
        counts = self._class_counts(present, classes or range(num_classes))
        return _choose(labels, counts, self.seed)

    def _class_counts(
        self, present: np.ndarray, names: Sequence
    ) -> np.ndarray:
        """(C,) images to keep, checked against the images there are."""
        counts = self._counts
        if counts is None:
            max_count = self.max_count or int(present.min())
            if max_count == 0:
                raise ValueError(
                    f'dataset has no image of class {names[present.argmin()]},'
                    ' so that max_count defaults to 0; give counts, with 0 '
                    'for this class'
                )
            make_counts = PROFILES[self.profile]
            counts = make_counts(
                max_count, self.imbalance_factor, len(present)
            )
            if counts.min() == 0:
                raise ValueError(
                    f'imbalance_factor={self.imbalance_factor} leaves class '
                    f'{names[counts.argmin()]} no image of '
                    f'max_count={max_count}; it must not exceed max_count'
                )
        if len(counts) != len(present):
            raise ValueError(
                f'counts has {len(counts)} entries and dataset '
                f'{len(present)} classes; give one count for each class'
            )
        short = np.flatnonzero(counts > present)
        if short.size:
            first = short[0]
            raise ValueError(
                f'class {names[first]} has {present[first]} images and '
                f'{counts[first]} are asked for ({short.size} such classes); '
                'lower max_count or counts'
            )
        return counts

    def get_gt_labels(self) -> np.ndarray:
        """(M,) int64 labels of the kept images."""
        self.full_init()
        return self._labels.labels.copy()


def _choose(labels: np.ndarray, counts: np.ndarray, seed: int) -> np.ndarray:
    """Positions of ``counts[k]`` random images of each class k, rising.

    All images are shuffled once; of each class the first ones stay.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind='stable')]
    present = np.bincount(labels, minlength=len(counts))
    first_of_class = np.cumsum(present) - present
    rank = np.arange(len(labels)) - np.repeat(first_of_class, present)
    return np.sort(order[rank < np.repeat(counts, present)])


def _single_labels(labels: ImageLabels) -> np.ndarray:
    """(N,) int64 label of each image."""
    other = np.flatnonzero(labels.lengths != 1)
    if other.size:
        raise ValueError(
            f'dataset: image {other[0]} has {labels.lengths[other[0]]} '
            'labels; LongTailedDataset needs single-label data, an image '
            'with several labels has no one class to count for'
        )
    return labels.labels


def _check_imbalance_factor(value: Any) -> None:
    if not is_number(value):
        raise TypeError(
            f'imbalance_factor must be a number >= 1, got {value!r}'
        )
    if not (math.isfinite(value) and value >= 1):
        raise ValueError(
            'imbalance_factor must be finite and >= 1 (largest class over '
            f'smallest), got {value}'
        )
