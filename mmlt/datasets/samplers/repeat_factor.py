"""Repeat factor sampling. C classes, N images."""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np

from mmlt.checks import check_switch, is_number
from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.labels import ImageLabels
from mmlt.registry import DATA_SAMPLERS

from .class_images import labels_of
from .shared_stream import SharedStreamSampler

FREQUENCIES = ('image', 'instance', 'both')


def class_repeat_factors(
    stats: ClassStats, threshold: float, by: str = 'image'
) -> np.ndarray:
    """Category-level repeat factor ``r_c = max(1, sqrt(t / f_c))``.

    `LVIS <https://arxiv.org/abs/1908.03195>`_, appendix B.2. ``f_c`` is the
    share of the images that hold the class; ``by='instance'`` takes the share
    of the instances and ``'both'`` the geometric mean of the two shares, as
    in `Instance-Aware Repeat Factor Sampling
    <https://arxiv.org/abs/2305.08069>`_.

    Args:
        stats (ClassStats): Of the training set.
        threshold (float): ``t`` in (0, 1]; rarer classes are repeated.
        by (str): ``'image'``, ``'instance'`` or ``'both'``.

    Returns:
        np.ndarray: (C,) float64, at least 1; 1 for a class without images.
    """
    shares = []
    if by != 'instance':
        shares.append(stats.image_count / stats.num_images)
    if by != 'image':
        count = stats.count('instance')
        shares.append(count / count.sum())
    frequency = np.prod(shares, axis=0) ** (1 / len(shares))
    factor = np.sqrt(threshold / np.where(frequency > 0, frequency, 1))
    return np.maximum(factor, 1)


def image_repeat_factors(
    labels: ImageLabels, class_factor: np.ndarray, keep_empty: bool = True
) -> np.ndarray:
    """(N,) repeat factor of each image: the largest of its classes.

    Args:
        labels (ImageLabels): Of N images.
        class_factor (np.ndarray): (C,) of :func:`class_repeat_factors`.
        keep_empty (bool): Images without a label get 1, else 0.
    """
    factor = np.zeros(len(labels))
    np.maximum.at(factor, labels.image_index, class_factor[labels.labels])
    if keep_empty:
        factor[labels.lengths == 0] = 1
    return factor


def round_systematically(
    factor: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Round at random so that the expectation stays and the sum, too.

    Each entry becomes its floor or its ceiling, with the probability that
    keeps its mean, as in independent rounding. But one random offset serves
    all entries, taken in random order: the fractions add up, and whoever
    carries the sum over a whole number is rounded up. The sum of all is
    thus the floor or the ceiling of the true one.

    Args:
        factor (np.ndarray): (N,) float64, not negative.
        rng (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: (N,) int64.
    """
    order = rng.permutation(len(factor))
    edges = np.cumsum(np.concatenate([[rng.random()], factor[order]]))
    count = np.empty(len(factor), dtype=np.int64)
    count[order] = np.diff(np.floor(edges))
    return count


@DATA_SAMPLERS.register_module()
class RepeatFactorSampler(SharedStreamSampler):
    """Repeat images of rare classes, other images once (RFS).

    `LVIS <https://arxiv.org/abs/1908.03195>`_, appendix B.2: image ``i`` is
    seen ``r_i = max_{c in i} max(1, sqrt(t / f_c))`` times an epoch. What is
    not whole is rounded at random, anew in each epoch, so that the mean over
    the epochs is ``r_i``; MMEngine's ``ClassBalancedDataset`` takes the
    ceiling.

    Note:
        Rounding each image by itself would make epochs of different lengths,
        which loops, schedules and ranks cannot have. Here the images are
        rounded together, see :func:`round_systematically`: every epoch has
        ``ceil(sum_i r_i)`` images, and no image is drawn more or less often
        than ``ceil(r_i)`` or ``floor(r_i)`` times. Where the sum falls short
        by one, the first image comes again.

    Args:
        dataset (Sized): A data set of MMDetection or MMPretrain, or a wrapper
            of one (see :func:`mmlt.class_stats.labels.collect_labels`).
        threshold (float): ``t`` in (0, 1]. Defaults to 1e-3, that of LVIS.
        by (str): Frequency ``f_c`` of a class: share of the images
            (``'image'``), of the instances (``'instance'``), or their
            geometric mean (``'both'``), see :func:`class_repeat_factors`.
        keep_empty (bool): Whether images without a label are drawn, once an
            epoch. Defaults to True.
        seed (int | None): See :class:`SharedStreamSampler`.

    Raises:
        ValueError: If ``threshold`` or ``by`` is of no use, or no image has
            a label.
        TypeError: If labels cannot be read.

    Example:
        >>> train_dataloader = dict(
        ...     sampler=dict(
        ...         _delete_=True,
        ...         type='mmlt.RepeatFactorSampler', threshold=1e-3))
    """

    def __init__(
        self,
        dataset: Sized,
        threshold: float = 1e-3,
        by: str = 'image',
        keep_empty: bool = True,
        seed: int | None = None,
    ) -> None:
        if not is_number(threshold) or not 0 < threshold <= 1:
            raise ValueError(
                'threshold must be in (0, 1], the share of images below '
                f'which a class is repeated, got {threshold}'
            )
        if by not in FREQUENCIES:
            raise ValueError(f'by must be one of {FREQUENCIES}, got {by!r}')
        check_switch('keep_empty', keep_empty)
        labels = labels_of(dataset)
        stats = collect_class_stats(dataset)
        self.repeat_factor = image_repeat_factors(
            labels, class_repeat_factors(stats, threshold, by), keep_empty
        )
        # Rounded: sums of floats are not quite what they should be.
        total = math.ceil(round(self.repeat_factor.sum(), 6))
        super().__init__(dataset, seed, num_samples=total)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        count = round_systematically(self.repeat_factor, rng)
        return rng.permutation(np.repeat(np.arange(len(count)), count))
