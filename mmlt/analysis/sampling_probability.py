"""How often each class is sampled, if images have several labels.

C classes, N images.
"""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mmlt.class_stats import ClassStats
from mmlt.class_stats.labels import collect_labels

COLUMNS = ('class', 'images', 'without', 'expected', 'real')


@dataclass(frozen=True, eq=False)
class SamplingProbability:
    """Probabilities of one draw.

    Args:
        image (np.ndarray): (N,) that the image is drawn; sums to 1.
        expected (np.ndarray): (C,) that the class is drawn; sums to 1. It is
            how often the class would be seen with one label an image.
        real (np.ndarray): (C,) that the image holds the class. With several
            labels an image these sum to more than 1.
        uniform (np.ndarray): (C,) the same if all images are equally likely.
    """

    image: np.ndarray
    expected: np.ndarray
    real: np.ndarray
    uniform: np.ndarray


def sampling_probability(
    dataset: Sized, class_probability: np.ndarray | None = None
) -> SamplingProbability:
    r"""Expected and real probability of each class under co-occurrence.

    A sampler draws class ``k`` with probability ``p_k``, then one of its
    images. Image ``i`` is drawn for each of its classes ``S_i``:

    .. math::
        P(i) = \sum_{k \in S_i} \frac{p_k}{n_k}, \quad
        P_{real}(k) = \sum_{i: k \in S_i} P(i)

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, Eq. 1 to
    3 (there ``p_k = 1 / C``, class-aware sampling).

    Args:
        dataset (Sized): As in :func:`mmlt.class_stats.labels.collect_labels`.
        class_probability (np.ndarray | None): (C,) ``p``, such as
            ``ClassFrequencySampler(...).probability``. Defaults to None:
            equal for all classes with images.

    Raises:
        ValueError: If ``class_probability`` has another length than there
            are classes, does not sum to 1, or gives a class without images a
            chance; or if no image has a label.
    """
    labels = collect_labels(dataset)
    images, classes = labels.unique()
    if not classes.size:
        raise ValueError('dataset: no image has a label, so nothing is drawn')
    count = np.bincount(classes)
    if class_probability is None:
        class_probability = (count > 0) / np.count_nonzero(count)
    expected = np.asarray(class_probability, dtype=float)
    _check_probability(expected, count)
    share = expected / np.maximum(count, 1)
    image = np.bincount(images, share[classes], minlength=len(labels))
    return SamplingProbability(
        image=image,
        expected=expected,
        real=np.bincount(classes, image[images]),
        uniform=count / len(labels),
    )


def probability_rows(
    probability: SamplingProbability, stats: ClassStats
) -> list[tuple]:
    """Classes with images by falling frequency, as in ``COLUMNS``.

    Args:
        probability (SamplingProbability): Of a draw.
        stats (ClassStats): Statistics of the same data set.

    Returns:
        list[tuple]: Name, training images, and the probability in a draw
        without re-sampling, expected and real.
    """
    names = stats.classes or range(stats.num_classes)
    order = np.argsort(-probability.uniform, kind='stable')
    return [
        (
            str(names[k]),
            int(stats.image_count[k]),
            probability.uniform[k],
            probability.expected[k],
            probability.real[k],
        )
        for k in order
        if stats.image_count[k]
    ]


def draw_sampling_probability(
    probability: SamplingProbability, path: str | Path
) -> None:
    """Draw the figure that shows what co-occurrence does to re-sampling.

    Figure 1 of `Distribution-Balanced Loss
    <https://arxiv.org/abs/2007.09654>`_: classes by falling frequency, before
    re-sampling, as expected from it, and as it is.

    Args:
        probability (SamplingProbability): What to draw.
        path (str | Path): The image file to write.
    """
    order = np.argsort(-probability.uniform, kind='stable')
    position = np.arange(len(order))
    figure = Figure(figsize=(7.5, 3.8), layout='constrained')
    axes = figure.add_subplot()
    axes.bar(
        position,
        probability.real[order],
        color='tab:orange',
        label='re-sampled, real',
    )
    axes.bar(
        position,
        probability.uniform[order],
        color='0.45',
        width=0.4,
        label='without re-sampling',
    )
    axes.step(
        position,
        probability.expected[order],
        where='mid',
        color='black',
        label='re-sampled, expected',
    )
    axes.set_yscale('log')
    axes.set_ylabel('probability in a draw')
    axes.set_xlabel('class, by falling frequency')
    figure.legend(loc='outside upper center', ncols=3, frameon=False)
    figure.savefig(path, dpi=100)


def _check_probability(probability: np.ndarray, count: np.ndarray) -> None:
    if probability.shape != count.shape:
        raise ValueError(
            f'class_probability has the shape {probability.shape}, but there '
            f'are {len(count)} classes'
        )
    if not np.isclose(probability.sum(), 1) or probability.min() < 0:
        raise ValueError(
            'class_probability must be >= 0 and sum to 1, got a sum of '
            f'{probability.sum()} and a minimum of {probability.min()}'
        )
    empty = np.flatnonzero((count == 0) & (probability > 0))
    if empty.size:
        raise ValueError(
            f'class_probability[{empty[0]}] is {probability[empty[0]]}, but '
            'the class has no image to draw'
        )
