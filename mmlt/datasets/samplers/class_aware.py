"""Class-aware sampling. C classes, N images."""

from __future__ import annotations

import math
from collections.abc import Sized

import numpy as np

from mmlt.registry import DATA_SAMPLERS

from .class_images import ClassImages
from .shared_stream import SharedStreamSampler, check_int


@DATA_SAMPLERS.register_module()
class ClassAwareSampler(SharedStreamSampler):
    """Go through the classes, and through the images of each of them.

    Class-aware sampling of `Relay Backpropagation
    <https://arxiv.org/abs/1512.05830>`_, section 3.2, with the settings of
    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_. The C
    classes with images come in random order, again and again, and each one
    brings ``num_samples_per_class`` of its images. These come in random
    order, too: none again before all of the class have been there. Each epoch
    draws new orders.

    An image with several classes is one of the images of each of them, so
    that frequent classes still come more often than rare ones: see
    :func:`mmlt.analysis.sampling_probability.sampling_probability`. An image
    without a label is never drawn.

    Args:
        dataset (Sized): See :func:`mmlt.class_stats.labels.collect_labels`.
        num_samples_per_class (int): Images for each class drawn.
        reduce (int | None): The authors' length of an epoch,
            ``n_max * C // reduce`` images, all ranks together, where the
            largest class has ``n_max`` images; 4 in the paper's settings.
            Defaults to None: ``num_samples``.
        seed (int | None): See :class:`SharedStreamSampler`.
        num_samples (int | None): Images an epoch, all ranks together.
            Defaults to the length of ``dataset``.

    Raises:
        TypeError: If a number is not an integer, or labels cannot be read.
        ValueError: If a number is not positive, ``reduce`` and
            ``num_samples`` are both given, or no image has a label.
    """

    def __init__(
        self,
        dataset: Sized,
        num_samples_per_class: int = 3,
        reduce: int | None = None,
        seed: int | None = None,
        num_samples: int | None = None,
    ) -> None:
        self.num_samples_per_class = check_int(
            'num_samples_per_class', num_samples_per_class, 1
        )
        self.images = ClassImages(dataset)
        counts = self.images.counts
        self.classes = np.flatnonzero(counts)
        if reduce is not None:
            if num_samples is not None:
                raise ValueError(
                    f'reduce={reduce} and num_samples={num_samples} both set '
                    'the length of an epoch; give one of them'
                )
            product = int(counts.max()) * len(self.classes)
            reduce = check_int('reduce', reduce, 1)
            if reduce > product:
                raise ValueError(
                    f'reduce={reduce} leaves no image of n_max * C = '
                    f'{product}; use a smaller one, such as 4'
                )
            num_samples = product // reduce
        super().__init__(dataset, seed, num_samples)

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        repeats = self.num_samples_per_class
        num_draws = math.ceil(self.num_samples / repeats)
        rounds = math.ceil(num_draws / len(self.classes))
        classes = np.tile(self.classes, (rounds, 1))
        classes = rng.permuted(classes, axis=1).ravel()[:num_draws]
        classes = np.repeat(classes, repeats)[: self.num_samples]
        return self.images.cycle(classes, rng)
