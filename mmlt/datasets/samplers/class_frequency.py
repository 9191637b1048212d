"""Sampling of classes by a power of their frequency. C classes."""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np

from mmlt.checks import is_number
from mmlt.class_stats import ClassStats, check_beta
from mmlt.registry import DATA_SAMPLERS

from .class_images import ClassImages
from .shared_stream import SharedStreamSampler


def class_probability(
    counts: np.ndarray, power: float, beta: float | None = None
) -> np.ndarray:
    """``P(k)`` proportional to ``n_k E_k^(power - 1)``.

    Args:
        counts (np.ndarray): (C,) images of each class; 0 gives P = 0.
        power (float): Any finite number.
        beta (float | None): Of the effective number of images ``E_k = (1 -
            beta^n_k) / (1 - beta)``, in [0, 1). Defaults to None: E_k = n_k.

    Returns:
        np.ndarray: (C,) float64 that sums to 1.
    """
    present = counts > 0
    count = counts[present]
    effective = count
    if beta is not None:
        effective = ClassStats.single_label(count).effective_number(beta)
    log_effective = np.log(effective)
    # Relative to the likeliest class: nothing overflows, what is far less
    # likely becomes 0.
    likeliest = log_effective.max() if power > 0 else log_effective.min()
    weight = np.exp(power * (log_effective - likeliest))
    weight *= count / effective
    probability = np.zeros(len(counts))
    probability[present] = weight / weight.sum()
    return probability


@DATA_SAMPLERS.register_module()
class ClassFrequencySampler(SharedStreamSampler):
    """Draw a class with P proportional to n^power, then one of its images.

    The family of `Decoupling Representation and Classifier
    <https://arxiv.org/abs/1910.09217>`_, Eq. 1: ``power`` 1 is
    instance-balanced, 0.5 square-root, 0 class-balanced; -1 is the reversed
    sampler of `BBN <https://arxiv.org/abs/1912.02413>`_, section 4.2.
    ``n_k`` are images. All draws are independent, hence **with
    replacement**: an epoch repeats some images and leaves others out, also
    with ``power=1``; ``DefaultSampler`` visits each image once.

    An image with several classes is one of the images of each, and so drawn
    more often; an image without a label is never drawn.

    Args:
        dataset (Sized): A data set of MMPretrain or MMDetection, or a wrapper
            of one (see :func:`mmlt.class_stats.labels.collect_labels`).
        power (float): Exponent of the class frequency, finite.
        seed (int | None): See :class:`SharedStreamSampler`.
        num_samples (int | None): Images an epoch, all ranks together.
            Defaults to the length of ``dataset``.
        beta (float | None): The weight ``n_k^(power - 1)`` of each image is
            that of the effective number of its class instead, of `Class-
            Balanced Loss <https://arxiv.org/abs/1901.05555>`_, in [0, 1).
            ``power=0, beta=0.9999`` is the deferred re-sampling in the code
            of `LDAM <https://arxiv.org/abs/1906.07413>`_, which draws
            frequent classes a little more often than rare ones. Defaults to
            None: ``n_k`` itself.

    Raises:
        ValueError: If ``power`` is not finite, ``beta`` is out of range, or
            no image has a label.
        TypeError: If a number is none, or labels cannot be read.
    """

    def __init__(
        self,
        dataset: Sized,
        power: float,
        seed: int | None = None,
        num_samples: int | None = None,
        beta: float | None = None,
    ) -> None:
        if not is_number(power):
            raise TypeError(f'power must be a number, got {power!r}')
        if not math.isfinite(power):
            raise ValueError(
                f'power must be finite, got {power}; 1 is instance-balanced, '
                '0 class-balanced, -1 reversed'
            )
        if beta is not None:
            check_beta(beta)
        super().__init__(dataset, seed, num_samples)
        self.power = power
        self.images = ClassImages(dataset)
        self.probability = class_probability(self.images.counts, power, beta)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        classes = rng.choice(
            len(self.probability), self.num_samples, p=self.probability
        )
        return self.images.pick(classes, rng)


@DATA_SAMPLERS.register_module()
class ReversedSampler(ClassFrequencySampler):
    """Reversed sampler of `BBN <https://arxiv.org/abs/1912.02413>`_.

    :class:`ClassFrequencySampler` with ``power=-1``: the rarer a class, the
    more often it is drawn.

    Args:
        dataset (Sized): See :class:`ClassFrequencySampler`.
        seed (int | None): See :class:`ClassFrequencySampler`.
        num_samples (int | None): See :class:`ClassFrequencySampler`.
    """

    def __init__(
        self,
        dataset: Sized,
        seed: int | None = None,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(dataset, -1, seed, num_samples)
