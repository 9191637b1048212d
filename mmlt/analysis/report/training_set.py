"""What a training set holds. N images, L labels, C classes, G groups."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any

import numpy as np

from mmlt.analysis.class_frequency import group_ranges
from mmlt.analysis.co_occurrence import analyse_co_occurrence, strongest_links
from mmlt.analysis.report.methods import fitting_methods
from mmlt.analysis.report.samplers import repeat_threshold, sampler_effects
from mmlt.analysis.report.traits import BOXES, MULTI, SINGLE, Traits
from mmlt.class_stats import ClassStats
from mmlt.class_stats.labels import ImageLabels, collect_labels
from mmlt.datasets.samplers.repeat_factor import class_repeat_factors

# The value of Class-Balanced Loss for CIFAR, and of our losses.
BETA = 0.9999
# Square pixels, each the first of the next size, as in COCO.
SIZES = ('small', 'medium', 'large')
SIZE_EDGES = (32**2, 96**2)
NUMBER_OF_LINKS = 20
LINK = ('class', 'implies', 'share', 'images')


def task_of(dataset: Any, labels: ImageLabels) -> str:
    """``'single-label'``, ``'multi-label'`` or ``'detection'``.

    Args:
        dataset: As in :func:`mmlt.class_stats.labels.collect_labels`.
        labels (ImageLabels): Of it.
    """
    while hasattr(dataset, 'datasets') or hasattr(dataset, 'dataset'):
        inner = getattr(dataset, 'datasets', None)
        dataset = inner[0] if inner else dataset.dataset
    if 'instances' in dataset.get_data_info(0):
        return BOXES
    return SINGLE if (labels.lengths == 1).all() else MULTI


def describe_training_set(
    dataset: Sized,
    stats: ClassStats,
    thresholds: Sequence[int],
    group_names: Sequence[str],
) -> dict:
    """The numbers of a training set, as plain lists and numbers.

    Args:
        dataset (Sized): As in
            :func:`mmlt.class_stats.labels.collect_labels`.
        stats (ClassStats): Of it.
        thresholds (Sequence[int]): Counts of images, each the first of the
            next group.
        group_names (Sequence[str]): G names, rarest first.

    Returns:
        dict: Of groups, classes, samplers and methods; ``co_occurrence``,
        ``cardinality`` and ``links`` of multi-label data, ``sizes`` of boxes.
    """
    labels = collect_labels(dataset, repeat=False)
    task = task_of(dataset, labels)
    group = stats.groups(thresholds)
    threshold = repeat_threshold(stats, thresholds)
    cardinality = np.bincount(
        np.bincount(labels.unique()[0], minlength=len(labels))
    )
    number = np.arange(len(cardinality))
    traits = Traits(
        imbalance=_imbalance(stats.image_count),
        rare=int((group[stats.image_count > 0] == 0).sum()),
        empty=int((stats.image_count == 0).sum()),
        cardinality=float(cardinality @ number / len(labels)),
        threshold=threshold,
        instances=bool((stats.instance_count > stats.image_count).any()),
    )
    facts = {
        'task': task,
        'num_images': stats.num_images,
        'num_classes': stats.num_classes,
        'num_instances': int(stats.instance_count.sum()),
        'images_without_label': int(cardinality[0]),
        'classes_without_images': traits.empty,
        'imbalance_factor': traits.imbalance,
        'gini': stats.gini(),
        'effective_number_beta': BETA,
        'repeat_factor_threshold': threshold,
        'groups': _groups(stats, group, thresholds, group_names),
        'classes': _classes(stats, group, group_names, threshold),
        'samplers': sampler_effects(dataset, stats, task, threshold),
        'methods': fitting_methods(task, traits),
    }
    if task == MULTI:
        together = analyse_co_occurrence(dataset)
        facts['co_occurrence'] = together
        facts['cardinality'] = cardinality.tolist()
        facts['mean_cardinality'] = traits.cardinality
        facts['links'] = [
            dict(zip(LINK, link, strict=True))
            for link in strongest_links(together, NUMBER_OF_LINKS)
        ]
    if labels.areas is not None:
        facts['sizes'] = _sizes(labels, group, group_names)
    return facts


def _imbalance(count: np.ndarray) -> float:
    """Of the classes that have images."""
    present = count[count > 0]
    return float(present.max() / present.min())


def _groups(
    stats: ClassStats,
    group: np.ndarray,
    thresholds: Sequence[int],
    names: Sequence[str],
) -> list[dict]:
    """The most frequent first."""
    total = stats.image_count.sum()
    rows = []
    for g, counts in reversed(list(enumerate(group_ranges(thresholds)))):
        inside = group == g
        images = int(stats.image_count[inside].sum())
        rows.append(
            {
                'name': names[g],
                'range': counts,
                'classes': int(inside.sum()),
                'images': images,
                'instances': int(stats.instance_count[inside].sum()),
                'share': images / total,
            }
        )
    return rows


def _classes(
    stats: ClassStats,
    group: np.ndarray,
    names: Sequence[str],
    threshold: float,
) -> list[dict]:
    """In the order of the data set."""
    return [
        {
            'name': str(name),
            'group': names[g],
            'images': int(images),
            'instances': int(instances),
            'effective_number': float(effective),
            'repeat_factor': float(factor),
        }
        for name, g, images, instances, effective, factor in zip(
            stats.classes or range(stats.num_classes),
            group,
            stats.image_count,
            stats.instance_count,
            stats.effective_number(BETA),
            class_repeat_factors(stats, threshold),
            strict=True,
        )
    ]


def _sizes(
    labels: ImageLabels, group: np.ndarray, names: Sequence[str]
) -> list[dict]:
    """Instances of each size, by group, the most frequent first."""
    size = np.digitize(labels.areas, SIZE_EDGES)
    index = group[labels.labels] * len(SIZES) + size
    count = np.bincount(index, minlength=len(names) * len(SIZES))
    rows = zip(names, count.reshape(len(names), -1).tolist(), strict=True)
    return [
        {'name': name, **dict(zip(SIZES, row, strict=True))}
        for name, row in list(rows)[::-1]
    ]
