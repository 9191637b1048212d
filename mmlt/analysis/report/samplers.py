"""What samplers would do to a training set. N images, C classes."""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np

from mmlt.analysis.report.traits import BOXES, MULTI, SINGLE
from mmlt.analysis.sampling_probability import sampling_probability
from mmlt.class_stats import ClassStats
from mmlt.class_stats.labels import collect_labels
from mmlt.datasets.samplers import (
    ClassAwareSampler,
    ClassFrequencySampler,
    RepeatFactorSampler,
)


def repeat_threshold(stats: ClassStats, thresholds: Sequence[int]) -> float:
    """The ``t`` of repeat factor sampling that leaves frequent classes alone.

    The share of the images that a class of the most frequent group has at
    least, to one digit: all others are repeated. With the groups of LVIS,
    (11, 101), and its 100,170 images that is 1e-3, the value of `its authors
    <https://arxiv.org/abs/1908.03195>`_.

    Args:
        stats (ClassStats): Of the training set.
        thresholds (Sequence[int]): Counts of images, each the first of the
            next group.
    """
    if not thresholds:
        return 1e-3
    return min(float(f'{thresholds[-1] / stats.num_images:.0e}'), 1.0)


def sampler_effects(
    dataset: Sized, stats: ClassStats, task: str, threshold: float
) -> list[dict]:
    """How long an epoch gets, and how often rare images are seen in it.

    Args:
        dataset (Sized): The training set.
        stats (ClassStats): Of it.
        task (str): ``'single-label'``, ``'multi-label'`` or ``'detection'``.
        threshold (float): ``t`` of repeat factor sampling.

    Returns:
        list[dict]: Of each sampler ``config``; ``epoch``, the images of an
        epoch; ``rarest`` and ``most_frequent``, how often an image of the
        rarest class that has some, and of the most frequent one, is seen in
        an epoch on average; ``most_seen``, the same of the image that is seen
        most often.
    """
    labels = collect_labels(dataset)
    images, classes = labels.unique()
    count = np.bincount(classes, minlength=stats.num_classes)
    rarest = np.where(count > 0, count, count.max() + 1).argmin()
    effects = [('DefaultSampler', np.ones(len(labels)), len(labels))]
    effects += _effects(dataset, task, threshold)
    return [
        {
            'config': config,
            'epoch': int(epoch),
            'rarest': float(seen[images[classes == rarest]].mean()),
            'most_frequent': float(
                seen[images[classes == count.argmax()]].mean()
            ),
            'most_seen': float(seen.max()),
        }
        for config, seen, epoch in effects
    ]


def _effects(
    dataset: Sized, task: str, threshold: float
) -> list[tuple[str, np.ndarray, int]]:
    """Of each sampler its config, how often it shows each image, its epoch."""
    effects = []
    if task == SINGLE:
        for power in (0.5, 0, -1):
            sampler = ClassFrequencySampler(dataset, power, seed=0)
            drawn = sampling_probability(dataset, sampler.probability)
            effects.append(
                (
                    f"type='mmlt.ClassFrequencySampler', power={power}",
                    sampler.num_samples * drawn.image,
                    sampler.num_samples,
                )
            )
    if task == MULTI:
        sampler = ClassAwareSampler(dataset, reduce=4, seed=0)
        drawn = sampling_probability(dataset)
        effects.append(
            (
                "type='mmlt.ClassAwareSampler', reduce=4",
                sampler.num_samples * drawn.image,
                sampler.num_samples,
            )
        )
    if task in (MULTI, BOXES):
        for by in ('image', 'both') if task == BOXES else ('image',):
            sampler = RepeatFactorSampler(dataset, threshold, by, seed=0)
            counted = '' if by == 'image' else f', by={by!r}'
            effects.append(
                (
                    "type='mmlt.RepeatFactorSampler', "
                    f'threshold={threshold:g}{counted}',
                    sampler.repeat_factor,
                    sampler.num_samples,
                )
            )
    return effects
