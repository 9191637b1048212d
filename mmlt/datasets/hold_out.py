"""A held-out part of the training data. N images, C classes, P pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmlt.checks import is_number
from mmlt.class_stats.labels import ImageLabels, collect_labels
from mmlt.registry import DATASETS

from .subset import Subset, check_int


def hold_out(labels: ImageLabels, share: float, seed: int) -> np.ndarray:
    """Which images to hold out, a share of each class.

    Of the n images of a class, ``share * n`` are held out, rounded, but at
    least one; one at least stays. As in `On the Stratification of Multi-Label
    Data <https://doi.org/10.1007/978-3-642-23808-6_10>`_, the classes take
    turns, the rarest first, and an image is decided on in the turn of its
    rarest class. Images without a label are a class of their own.

    Args:
        labels (ImageLabels): Of N images.
        share (float): In (0, 1).
        seed (int): Decides which images of a class are held out.

    Returns:
        np.ndarray: (N,) bool. Single-label data have the numbers above
        exactly. With several labels an image, a class keeps one image in
        any case, but may have more or fewer held out.
    """
    images, classes = labels.unique()
    unlabelled = np.flatnonzero(labels.lengths == 0)
    images = np.concatenate([images, unlabelled])
    rest = np.full(len(unlabelled), classes.max(initial=-1) + 1)
    classes = np.concatenate([classes, rest])
    count = np.bincount(classes)
    turns = np.argsort(count, kind='stable')
    turn_of = np.argsort(turns)
    # The pairs by image; an image's turn is the first of its classes' turns.
    order = np.argsort(images, kind='stable')
    starts = np.searchsorted(images[order], np.arange(len(labels)))
    classes_of = np.split(classes[order], starts[1:])
    turn = np.minimum.reduceat(turn_of[classes[order]], starts)
    # The images of each turn, in random order.
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(turn[order], kind='stable')]
    images_of = np.split(
        order, np.searchsorted(turn[order], np.arange(1, len(count)))
    )
    wanted = np.maximum(np.floor(share * count + 0.5), 1)
    left = count.copy()
    held_out = np.zeros(len(labels), dtype=bool)
    for label, candidates in zip(turns, images_of, strict=True):
        for image in candidates:
            if count[label] - left[label] >= wanted[label]:
                break
            if (left[classes_of[image]] > 1).all():
                held_out[image] = True
                left[classes_of[image]] -= 1
    return held_out


@DATASETS.register_module()
class HoldOutDataset(Subset):
    """Hold a share of each class out of training.

    To choose a parameter without looking at the test set: train on the
    wrapper with ``held_out=False``, and choose by the same wrapper with
    ``held_out=True``. Of single-label data, each class with two images or
    more has some in both parts; the folds of ``KFoldDataset`` leave rare
    classes empty. The parts depend on the labels, ``share`` and ``seed``
    alone, so all ranks and all runs agree. See :func:`hold_out`.

    Args:
        dataset (dict | object): A data set of MMPretrain or MMDetection, or
            a wrapper of one, or its config.
        held_out (bool): False: the images to train on; True: the others.
        share (float): Share of the images of a class to hold out, in (0, 1).
        seed (int): Decides which images of a class are held out.
        lazy_init (bool): Whether to leave reading the annotations to
            :meth:`full_init`.

    Raises:
        ValueError: If an argument is out of its range, no class has two
            images, or the data set repeats images, which would then be in
            both parts.
        TypeError: If an argument has a wrong type.

    Example:
        >>> images = dict(type='CustomDataset', data_prefix='data/mine/train')
        >>> train_dataloader = dict(
        ...     dataset=dict(type='mmlt.HoldOutDataset', dataset=images))
        >>> test_dataloader = dict(
        ...     dataset=dict(
        ...         type='mmlt.HoldOutDataset', held_out=True, dataset=images))
    """

    def __init__(
        self,
        dataset: Any,
        held_out: bool = False,
        share: float = 0.1,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if not isinstance(held_out, bool):
            raise TypeError(f'held_out must be a bool, got {held_out!r}')
        if not is_number(share):
            raise TypeError(f'share must be a number, got {share!r}')
        if not 0 < share < 1:
            raise ValueError(
                'share must be in (0, 1), that of the images of a class to '
                f'hold out, got {share}'
            )
        check_int('seed', seed, 0)
        self.held_out = held_out
        self.share = share
        self.seed = seed
        super().__init__(dataset, lazy_init)

    def choose(self, labels: ImageLabels) -> np.ndarray:
        """Positions of the images of this part, rising."""
        if len(collect_labels(self.dataset, repeat=False)) < len(labels):
            raise ValueError(
                'dataset repeats images, so that one image would be in both '
                'parts; put the repetition around HoldOutDataset'
            )
        held_out = hold_out(labels, self.share, self.seed)
        if not held_out.any():
            raise ValueError(
                'dataset has no class with two images, so that none can be '
                'held out; use one with more images'
            )
        return np.flatnonzero(held_out == self.held_out)
