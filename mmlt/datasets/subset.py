"""Parts of data sets. N images of the wrapped data set, M <= N kept."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from mmlt.checks import is_number
from mmlt.class_stats.labels import ImageLabels, collect_labels
from mmlt.registry import DATASETS


class Subset:
    """Base of the wrappers that keep some images of a data set.

    Only the positions of the kept images are held; images and annotations
    stay in the wrapped data set. A subclass implements :meth:`choose`.

    Args:
        dataset (dict | object): A data set of MMPretrain or MMDetection, or
            a wrapper of one, or its config.
        lazy_init (bool): Whether to leave reading the annotations to
            :meth:`full_init`.

    Raises:
        TypeError: If ``dataset`` is neither.
        ValueError: If it is empty.
    """

    def __init__(self, dataset: Any, lazy_init: bool = False) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        elif not hasattr(dataset, 'full_init'):
            raise TypeError(
                'dataset must be a data set of mmpretrain, a wrapper of one, '
                f'or its config, got {type(dataset).__name__}'
            )
        self.dataset = dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def choose(self, labels: ImageLabels) -> np.ndarray:
        """Choose the images to keep, the same on all ranks.

        Args:
            labels (ImageLabels): Of the N images.

        Returns:
            np.ndarray: (M,) positions, rising.
        """
        raise NotImplementedError

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return self.dataset.metainfo

    @property
    def indices(self) -> np.ndarray:
        """(M,) positions of the kept images in ``dataset``, rising."""
        self.full_init()
        return self._indices

    @property
    def image_labels(self) -> ImageLabels:
        """Labels of the kept images."""
        self.full_init()
        return self._labels

    def full_init(self) -> None:
        """Read the labels of the wrapped data set and choose the images."""
        if self._fully_initialized:
            return
        labels = collect_labels(self.dataset)
        if not len(labels):
            raise ValueError(
                'dataset is empty; check its data_root, split and ann_file'
            )
        self._indices = self.choose(labels)
        self._labels = labels.take(self._indices)
        self._fully_initialized = True

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, idx: int) -> dict:
        return self.dataset[int(self.indices[idx])]

    def get_data_info(self, idx: int) -> dict:
        """Annotation of the idx-th kept image."""
        return self.dataset.get_data_info(int(self.indices[idx]))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Labels of the idx-th kept image, one for each instance."""
        row = range(len(self))[idx]
        start, stop = self._labels.offsets[row : row + 2]
        return self._labels.labels[start:stop].tolist()


def check_int(name: str, value: Any, least: int) -> None:
    """Raise unless ``value`` is an int, at least this."""
    if not isinstance(value, Integral) or not is_number(value):
        raise TypeError(f'{name} must be an int >= {least}, got {value!r}')
    if value < least:
        raise ValueError(f'{name} must be an int >= {least}, got {value}')
