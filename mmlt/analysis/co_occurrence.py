"""Which classes come together, and what sampling can do about it.

C classes, N images.
"""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.optimize import linprog

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.co_occurrence import co_occurrence
from mmlt.class_stats.labels import collect_labels

from .sampling_probability import sampling_probability

COLUMNS = ('class', 'images', 'alone', 'companions', 'ratio', 'least')


@dataclass(frozen=True, eq=False)
class CoOccurrence:
    """What images of a training set hold together.

    Args:
        names (Sequence[str]): (C,).
        count (np.ndarray): (C,) images of each class.
        probability (np.ndarray): (C, C) ``P(j | i)``, the share of the images
            with class i that have j; NaN for a class without images.
        cardinality (np.ndarray): (M,) images with 0, 1, ..., M - 1 classes.
        alone (np.ndarray): (C,) share of the images of a class that have no
            other.
        companions (np.ndarray): (C,) other classes in an image of the class.
        ratio (np.ndarray): (C,) how often class-aware sampling brings the
            class, over how often it is meant to.
        least (np.ndarray): (C,) see :func:`least_ratios`.
    """

    names: Sequence[str]
    count: np.ndarray
    probability: np.ndarray
    cardinality: np.ndarray
    alone: np.ndarray
    companions: np.ndarray
    ratio: np.ndarray
    least: np.ndarray

    @property
    def mean_cardinality(self) -> float:
        """Classes in an image, on average."""
        number = np.arange(len(self.cardinality))
        return float(self.cardinality @ number / self.cardinality.sum())

    def to_dict(self) -> dict:
        """Plain lists and numbers."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in vars(self).items()
        }


def analyse_co_occurrence(dataset: Sized) -> CoOccurrence:
    """Read the labels of a data set, without loading images.

    Args:
        dataset (Sized): As in :func:`mmlt.class_stats.labels.collect_labels`.

    Raises:
        ValueError: If no image has a label.
    """
    stats = collect_class_stats(dataset)
    together = co_occurrence(dataset)
    images, classes = collect_labels(dataset, repeat=False).unique()
    number = np.bincount(images, minlength=stats.num_images)
    single = classes[number[images] == 1]
    count = stats.image_count
    sampled = sampling_probability(dataset)
    ratio = np.full(stats.num_classes, np.nan)
    drawn = np.flatnonzero(sampled.expected)
    ratio[drawn] = sampled.real[drawn] / sampled.expected[drawn]
    probability = _divide(together, count[:, None])
    names = stats.classes or range(stats.num_classes)
    return CoOccurrence(
        names=[str(name) for name in names],
        count=count,
        probability=probability,
        cardinality=np.bincount(number),
        alone=_divide(np.bincount(single, minlength=len(count)), count),
        companions=probability.sum(1) - 1,
        ratio=ratio,
        least=least_ratios(dataset),
    )


def least_ratios(dataset: Sized) -> np.ndarray:
    r"""How often a class is seen at least, whatever the sampler.

    A sampler draws image i with any probability ``q_i``. Class k then comes
    at least

    .. math::
        \min_q \frac{P(k)}{\min_j P(j)}, \quad P(k) = \sum_{i: k \in S_i} q_i

    times as often as the class that comes least. Above 1, no sampling makes
    the classes balanced: two or more of them always bring k along, and do not
    always come together. A class all of whose images can be left out, since
    all others have images without it, has 1.

    Args:
        dataset (Sized): As in :func:`mmlt.class_stats.labels.collect_labels`.

    Returns:
        np.ndarray: (C,); NaN for a class without images.
    """
    together = co_occurrence(dataset)
    count = together.diagonal()
    images, classes = collect_labels(dataset, repeat=False).unique()
    least = np.where(count > 0, 1.0, np.nan)
    # bound[k, j]: all images of j hold k, too.
    bound = (together == count) & (count > 0)
    np.fill_diagonal(bound, False)
    for k in np.flatnonzero(bound.sum(1) > 1):
        dependent = np.flatnonzero(bound[k])
        chosen = np.isin(classes, dependent)
        _, image = np.unique(images[chosen], return_inverse=True)
        holds = np.zeros((len(dependent), image.max() + 1))
        holds[np.searchsorted(dependent, classes[chosen]), image] = 1
        # Images of the same classes are one variable.
        holds = np.unique(holds, axis=1)
        cover = linprog(
            np.ones(holds.shape[1]), -holds, -np.ones(len(dependent))
        )
        least[k] = max(cover.fun, 1.0)
    return least


def co_occurrence_rows(result: CoOccurrence) -> list[tuple]:
    """Classes with images by falling frequency, as in ``COLUMNS``."""
    order = np.argsort(-result.count, kind='stable')
    return [
        (
            result.names[k],
            int(result.count[k]),
            float(result.alone[k]),
            float(result.companions[k]),
            float(result.ratio[k]),
            float(result.least[k]),
        )
        for k in order
        if result.count[k]
    ]


def strongest_links(
    result: CoOccurrence, number: int
) -> list[tuple[str, str, float, int]]:
    """The pairs of the largest ``P(j | i)``: i, j, the share, images with i.

    Of equal ones, those of more images come first.
    """
    probability = np.nan_to_num(result.probability)
    np.fill_diagonal(probability, 0)
    first, second = np.nonzero(probability)
    share = probability[first, second]
    order = np.lexsort((-result.count[first], -share))[:number]
    return [
        (
            result.names[first[pair]],
            result.names[second[pair]],
            float(share[pair]),
            int(result.count[first[pair]]),
        )
        for pair in order
    ]


def draw_co_occurrence(result: CoOccurrence, path: str | Path) -> None:
    """Draw ``P(j | i)``, classes by falling frequency.

    Args:
        result (CoOccurrence): What to draw.
        path (str | Path): The image file to write.
    """
    order = np.argsort(-result.count, kind='stable')
    order = order[result.count[order] > 0]
    probability = result.probability[np.ix_(order, order)]
    np.fill_diagonal(probability, np.nan)
    size = min(max(4.0, 0.16 * len(order)), 16)
    figure = Figure(figsize=(size + 1.5, size), layout='constrained')
    axes = figure.add_subplot()
    axes.set_facecolor('0.85')
    image = axes.imshow(probability, cmap='viridis', vmin=0, vmax=1)
    figure.colorbar(image, label='P(column | row)')
    # More names than these cannot be read.
    if len(order) <= 100:
        names = [result.names[k] for k in order]
        ticks = np.arange(len(order))
        axes.set_xticks(ticks, names, rotation=90, fontsize=6)
        axes.set_yticks(ticks, names, fontsize=6)
    axes.set_xlabel('class, by falling frequency')
    axes.set_ylabel('given this class')
    figure.savefig(path, dpi=120)


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """NaN where there is nothing to divide by."""
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
