"""The images of each class, to draw from. C classes, N images, P pairs."""

from __future__ import annotations

from collections.abc import Sized

import numpy as np

from mmlt.class_stats.labels import ImageLabels, collect_labels


def labels_of(dataset: Sized) -> ImageLabels:
    """``collect_labels`` of a data set, which must have some."""
    labels = collect_labels(dataset)
    if not labels.labels.size:
        raise ValueError(
            f'dataset: none of the {len(dataset)} images of '
            f'{type(dataset).__name__} has a label, so there is no class to '
            'draw; use the annotated training split'
        )
    return labels


class ClassImages:
    """The images of a data set, sorted by class.

    An image stands there once for each class that it has a label of, however
    many instances of the class it holds.

    Args:
        dataset (Sized): As in :func:`mmlt.class_stats.labels.collect_labels`.

    Attributes:
        counts (np.ndarray): (C,) int64 images of each class, possibly 0. C is
            the largest label + 1.

    Raises:
        TypeError, ValueError: If the data set has no labels.
    """

    def __init__(self, dataset: Sized) -> None:
        images, classes = labels_of(dataset).unique()
        self.counts = np.bincount(classes)
        self._images = images[np.argsort(classes, kind='stable')]
        self._starts = np.cumsum(self.counts) - self.counts

    def pick(
        self, classes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Pick a uniformly random image of each class, independently.

        Args:
            classes (np.ndarray): (M,) classes that have images.
            rng (np.random.Generator): Source of randomness.

        Returns:
            np.ndarray: (M,) int64 positions in the data set.
        """
        rank = rng.integers(self.counts[classes])
        return self._images[self._starts[classes] + rank]

    def cycle(
        self, classes: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Go through the images of each class in random order.

        No image of a class comes again before all of them have come; then
        they come in another order.

        Args:
            classes (np.ndarray): (M,) classes that have images.
            rng (np.random.Generator): Source of randomness.

        Returns:
            np.ndarray: (M,) int64 positions in the data set.
        """
        draws = np.bincount(classes, minlength=len(self.counts))
        rounds = -(-draws // np.maximum(self.counts, 1))
        # The orders of class k are entries starts[k] to ends[k], a round
        # after the other: sorted by first entry of the round + random number.
        ends = np.cumsum(rounds * self.counts)
        starts = ends - rounds * self.counts
        label = np.repeat(np.arange(len(self.counts)), ends - starts)
        rank = np.arange(len(label)) - starts[label]
        place = rank % self.counts[label]
        order = np.argsort(
            starts[label] + rank - place + rng.random(len(rank))
        )
        images = self._images[self._starts[label] + place][order]
        # The r-th draw of a class takes the r-th entry of the class.
        by_class = np.argsort(classes, kind='stable')
        first = np.cumsum(draws) - draws
        nth = np.empty_like(by_class)
        nth[by_class] = np.arange(len(classes)) - first[classes[by_class]]
        return images[starts[classes] + nth]
