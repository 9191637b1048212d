"""The objects of rare classes. N images of the wrapped data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmlt.checks import check_size
from mmlt.class_stats.labels import ImageLabels
from mmlt.registry import DATASETS

from .subset import Subset


@DATASETS.register_module()
class TailInstances(Subset):
    """Objects of the rare classes, and the images that have some.

    For fine-tuning on tail classes, a row of `Overcoming Classifier Imbalance
    for Long-tail Object Detection with Balanced Group Softmax
    <https://arxiv.org/abs/2006.10408>`_. The labels keep their numbers. What
    is left out is background to the detector, as it would be if it had never
    been annotated.

    Args:
        dataset (dict | object): A data set of MMDetection, or its config; no
            wrapper.
        max_instances (int): A class with fewer objects in the data set is
            rare. Those that are ignored in training do not count.
        lazy_init (bool): Whether to leave reading the annotations to
            :meth:`full_init`.

    Raises:
        TypeError: If ``dataset`` is no data set of objects, or
            ``max_instances`` no whole number.
        ValueError: If no class is rare.

    Example:
        >>> objects = dict(type='CocoDataset', ann_file='train.json')
        >>> train_dataloader = dict(
        ...     dataset=dict(
        ...         type='mmlt.TailInstances', max_instances=100,
        ...         dataset=objects))
    """

    def __init__(
        self, dataset: Any, max_instances: int, lazy_init: bool = False
    ) -> None:
        self.max_instances = check_size('max_instances', max_instances)
        super().__init__(dataset, lazy_init)

    def choose(self, labels: ImageLabels) -> np.ndarray:
        """Positions of the images with an object of a rare class, rising."""
        if 'instances' not in self.dataset.get_data_info(0):
            raise TypeError(
                f'dataset {type(self.dataset).__name__} of TailInstances has '
                'no annotated objects; give a data set of MMDetection itself'
            )
        count = np.bincount(labels.labels)
        self.classes = np.flatnonzero(
            (count > 0) & (count < self.max_instances)
        )
        if not self.classes.size:
            raise ValueError(
                f'max_instances={self.max_instances}: no class has fewer '
                f'objects, the rarest {count[count > 0].min()}; give a larger '
                'number'
            )
        return np.flatnonzero(labels.only(self.classes).lengths)

    def full_init(self) -> None:
        """Read the annotations and choose the images."""
        if not self._fully_initialized:
            super().full_init()
            self._labels = self._labels.only(self.classes)

    def get_data_info(self, idx: int) -> dict:
        """Annotation of the idx-th kept image, with the rare objects."""
        info = super().get_data_info(idx)
        info['instances'] = [
            each
            for each in info['instances']
            if each['bbox_label'] in self.classes
        ]
        return info

    def __getitem__(self, idx: int) -> dict:
        return self.dataset.pipeline(self.get_data_info(idx))
