"""Sampling that goes from instance- to class-balanced. C classes."""

from __future__ import annotations

from collections.abc import Sized

import numpy as np

from mmlt.registry import DATA_SAMPLERS

from .class_frequency import class_probability
from .class_images import ClassImages
from .shared_stream import SharedStreamSampler, check_int


@DATA_SAMPLERS.register_module()
class ProgressiveSampler(SharedStreamSampler):
    """Go from instance- to class-balanced sampling over the epochs.

    Progressively-balanced sampling of `Decoupling Representation and
    Classifier <https://arxiv.org/abs/1910.09217>`_, Eq. 2: ``P(k) =
    (1 - t) n_k / sum_j n_j + t / C``, over the C classes with images, then a
    uniform image of the class, with replacement.

    Note:
        The paper sets ``t`` to epoch / number of epochs. Here ``t = epoch /
        (max_epochs - 1)`` with epochs from 0, so that the first epoch is
        instance-balanced and the last one class-balanced; later epochs stay
        so.

    Args:
        dataset (Sized): See :class:`ClassFrequencySampler`.
        max_epochs (int): Number of training epochs.
        seed (int | None): See :class:`SharedStreamSampler`.
        num_samples (int | None): Images an epoch, all ranks together.
            Defaults to the length of ``dataset``.

    Raises:
        TypeError: If ``max_epochs`` is not an integer, or labels cannot be
            read.
        ValueError: If ``max_epochs`` is below 1, or no image has a label.
    """

    def __init__(
        self,
        dataset: Sized,
        max_epochs: int,
        seed: int | None = None,
        num_samples: int | None = None,
    ) -> None:
        self.max_epochs = check_int('max_epochs', max_epochs, 1)
        super().__init__(dataset, seed, num_samples)
        self.images = ClassImages(dataset)

    @property
    def probability(self) -> np.ndarray:
        """(C,) probability of each class in the present epoch."""
        progress = min(self.epoch / max(self.max_epochs - 1, 1), 1.0)
        instance_balanced = class_probability(self.images.counts, 1)
        class_balanced = class_probability(self.images.counts, 0)
        return (1 - progress) * instance_balanced + progress * class_balanced

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        probability = self.probability
        classes = rng.choice(len(probability), self.num_samples, p=probability)
        return self.images.pick(classes, rng)
