"""Long-tailed part of a multi-label data set. N images, C classes."""

from __future__ import annotations

import numpy as np

from mmlt.class_stats.labels import ImageLabels

ORDERS = ('frequency', 'random')


def pareto_counts(
    max_count: int, min_count: int, num_classes: int, power: float = 6.0
) -> np.ndarray:
    r"""Images a class, falling as a Pareto density does.

    .. math::
        n_r = n_{max} x_r^{-\alpha}, \quad x_r = 1 + \frac{r}{C - 1} \left(
        \left(\frac{n_{max}}{n_{min}}\right)^{1 / \alpha} - 1 \right)

    with the rank ``r`` from 0 to C - 1: the density at evenly spaced points.
    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ names the
    density and ``alpha``, not the points.

    Args:
        max_count (int): ``n_max``, images of the largest class.
        min_count (int): ``n_min`` >= 1, images of the smallest.
        num_classes (int): C.
        power (float): ``alpha`` > 0; the larger, the nearer to a geometric
            series.

    Returns:
        np.ndarray: (C,) int64, falling.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if not 1 <= min_count <= max_count:
        raise ValueError(
            'min_count and max_count must be 1 <= min_count <= max_count, '
            f'got {min_count} and {max_count}'
        )
    if not 0 < power < np.inf:
        raise ValueError(f'power must be positive and finite, got {power}')
    end = (max_count / min_count) ** (1 / power)
    points = np.linspace(1, end, num_classes)
    return np.rint(max_count * points**-power).astype(np.int64)


def draw_images(
    labels: ImageLabels, counts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw images so that class ``k`` has about ``counts[k]`` of them.

    An image counts for all its classes. So, from the class that shall have
    fewest images to that with most, images are drawn only for what the
    earlier draws have left open, and first of those with fewest classes that
    are complete already. No class has fewer images than it shall, or than
    there are; some have more, as frequent objects stand beside rare ones.

    Args:
        labels (ImageLabels): Labels of the N images to draw from.
        counts (np.ndarray): (C,) images a class.
        rng (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: (M,) int64 images, rising, each once.

    Raises:
        ValueError: If a label lies beyond ``counts``.
    """
    image, label = labels.unique()
    num_classes = len(counts)
    if label.max(initial=-1) >= num_classes:
        raise ValueError(
            f'labels has the label {label.max()}, but counts has '
            f'{num_classes} entries; give one count for each class'
        )
    present = np.bincount(label, minlength=num_classes)
    target = np.minimum(counts, present)
    have = np.zeros(num_classes, dtype=np.int64)
    drawn = np.zeros(len(labels), dtype=bool)
    for k in np.argsort(target, kind='stable'):
        if have[k] >= target[k]:
            continue
        complete = (have >= target)[label]
        surplus = np.bincount(image[complete], minlength=len(labels))
        left = rng.permutation(image[(label == k) & ~drawn[image]])
        left = left[np.argsort(surplus[left], kind='stable')]
        drawn[left[: target[k] - have[k]]] = True
        have = np.bincount(label[drawn[image]], minlength=num_classes)
    return np.flatnonzero(drawn)


def pareto_subset(
    labels: ImageLabels,
    num_classes: int,
    max_count: int,
    min_count: int,
    power: float = 6.0,
    order: str = 'frequency',
    seed: int = 0,
) -> np.ndarray:
    """Draw a long-tailed part of a multi-label data set.

    Class sizes are those of :func:`pareto_counts`, images are drawn by
    :func:`draw_images`: the same arguments give the same images. A class with
    fewer images than it shall have keeps all of them.

    Args:
        labels (ImageLabels): Labels of the N images, from
            :func:`mmlt.class_stats.labels.collect_labels`.
        num_classes (int): C.
        max_count (int): Images of the largest class.
        min_count (int): Images of the smallest class.
        power (float): Of the Pareto density.
        order (str): Which class is largest: ``'frequency'``, the classes
            keep their order by number of images; ``'random'``, the seed
            decides.
        seed (int): Decides which images are drawn.

    Returns:
        np.ndarray: (M,) int64 images, rising.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if order not in ORDERS:
        raise ValueError(f'order must be one of {ORDERS}, got {order!r}')
    rng = np.random.default_rng(seed)
    sizes = pareto_counts(max_count, min_count, num_classes, power)
    if order == 'random':
        ranked = rng.permutation(num_classes)
    else:
        _, label = labels.unique()
        present = np.bincount(label, minlength=num_classes)
        ranked = np.argsort(-present, kind='stable')[:num_classes]
    counts = np.empty_like(sizes)
    counts[ranked] = sizes
    return draw_images(labels, counts, rng)
