"""The long-tailed CIFAR of the literature. C classes, N images."""

from __future__ import annotations

import numpy as np

from mmlt.class_stats.labels import ImageLabels
from mmlt.registry import DATASETS

from .long_tailed import LongTailedDataset


@DATASETS.register_module()
class LDAMLongTailedDataset(LongTailedDataset):
    """Keep the images that the code of LDAM keeps.

    With the default ``seed`` and ``max_count=5000`` on CIFAR-10 (500 on
    CIFAR-100), the training set of `LDAM <https://arxiv.org/abs/1906.07413>`_
    and of most papers after it. A second stage on their checkpoints belongs
    on the images of the first: on others it would see rare classes anew.

    The images of each class, in the order of ``dataset``, are shuffled by
    NumPy's old generator, class by class, and the first ones stay. Another
    order of the images, as of files that were renamed, gives another subset.

    Args:
        **kwargs: As in ``LongTailedDataset``.

    Example:
        >>> train_dataloader = dict(
        ...     dataset=dict(
        ...         type='mmlt.LDAMLongTailedDataset',
        ...         imbalance_factor=100,
        ...         dataset=dict(type='CIFAR10', data_root='data/cifar10')))
    """

    def choose(self, labels: ImageLabels) -> np.ndarray:
        """Positions of the images to keep, rising."""
        # The same numbers, of other images.
        kept = labels.labels[super().choose(labels)]
        rng = np.random.RandomState(self.seed)
        chosen = []
        for k, count in enumerate(np.bincount(kept)):
            images = np.flatnonzero(labels.labels == k)
            rng.shuffle(images)
            chosen.append(images[:count])
        return np.sort(np.concatenate(chosen))
