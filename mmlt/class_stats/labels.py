"""The class labels of every image of a data set, wrappers included.

Samplers draw from them, :mod:`mmlt.class_stats` counts them. N images,
L labels (L = N for single-label data).
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from mmengine.dataset import (
    BaseDataset,
    ClassBalancedDataset,
    ConcatDataset,
    RepeatDataset,
)

from .centres import BoxCentres


@dataclass(frozen=True, eq=False)
class ImageLabels:
    """Labels of N images in compressed rows.

    Image ``i`` has the labels ``labels[offsets[i]:offsets[i + 1]]``, one for
    each annotated instance, so a class may stand there more than once.

    Args:
        labels (np.ndarray): (L,) int64, class of each label.
        offsets (np.ndarray): (N + 1,) int64, rising from 0 to L.
        centres (np.ndarray | None): (L, 2) float32, of the box of each label,
            in shares of the image. Defaults to None: not known.
        areas (np.ndarray | None): (L,) float32, of the box of each label, in
            square pixels. Defaults to None: not known.
        image_sizes (np.ndarray | None): (N, 2) float32, width and height of
            each image, 0 for one without a box. Defaults to None: not known.
    """

    labels: np.ndarray
    offsets: np.ndarray
    centres: np.ndarray | None = None
    areas: np.ndarray | None = None
    image_sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """(N,) number of labels of each image."""
        return np.diff(self.offsets)

    @property
    def image_index(self) -> np.ndarray:
        """(L,) image that each label belongs to."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, indices: np.ndarray) -> ImageLabels:
        """The labels of the images ``indices`` (M,), in that order."""
        indices = np.asarray(indices, dtype=np.int64)
        lengths = self.lengths[indices]
        offsets = _offsets(lengths)
        # Position of every label: start of its row + rank within the row.
        shift = self.offsets[indices] - offsets[:-1]
        positions = np.arange(offsets[-1]) + np.repeat(shift, lengths)
        boxes = (
            None if each is None else each[where]
            for each, where in (
                (self.centres, positions),
                (self.areas, positions),
                (self.image_sizes, indices),
            )
        )
        return ImageLabels(self.labels[positions], offsets, *boxes)

    def only(self, classes: np.ndarray) -> ImageLabels:
        """The labels of these classes (M,) alone, of all images."""
        kept = np.isin(self.labels, classes)
        lengths = np.bincount(self.image_index[kept], minlength=len(self))
        boxes = (
            None if each is None else each[kept]
            for each in (self.centres, self.areas)
        )
        return ImageLabels(
            self.labels[kept], _offsets(lengths), *boxes, self.image_sizes
        )

    def unique(self) -> tuple[np.ndarray, np.ndarray]:
        """Each (image, class) pair once, sorted.

        Returns:
            tuple: ``image_index`` (P,) and ``labels`` (P,), int64.
        """
        num_classes = int(self.labels.max(initial=-1)) + 1
        pairs = np.unique(self.image_index * num_classes + self.labels)
        return np.divmod(pairs, max(num_classes, 1))


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def collect_labels(dataset: Any, repeat: bool = True) -> ImageLabels:
    """Read the labels of all images of ``dataset``, without loading images.

    Position ``i`` of the result belongs to ``dataset[i]``, also for wrapped
    data sets. Instances that are ignored in training (``ignore_flag``, such
    as crowds) do not count.

    Args:
        dataset: An mmpretrain or mmdet data set, or a wrapper of one:
            Concat, Repeat, ClassBalanced, MultiImageMix, KFold,
            :class:`torch.utils.data.Subset` or one of ours, whose
            ``image_labels`` these are.
        repeat (bool): False leaves out the repetitions of Repeat and
            ClassBalanced wrappers: each image stands there once.

    Raises:
        TypeError: If the data set has neither labels nor a wrapped data set.
        ValueError: If an image has no label entry or a negative label.
    """
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    known = getattr(dataset, 'image_labels', None)
    if isinstance(known, ImageLabels):
        return known
    if isinstance(dataset, ConcatDataset) or hasattr(dataset, 'datasets'):
        parts = [collect_labels(part, repeat) for part in dataset.datasets]
        boxes = (
            [part.centres for part in parts],
            [part.areas for part in parts],
            [part.image_sizes for part in parts],
        )
        return ImageLabels(
            np.concatenate([part.labels for part in parts]),
            _offsets(np.concatenate([part.lengths for part in parts])),
            *(
                None if any(x is None for x in each) else np.concatenate(each)
                for each in boxes
            ),
        )
    if hasattr(dataset, 'dataset'):
        if hasattr(dataset, 'indices'):
            return collect_labels(dataset.dataset).take(dataset.indices)
        inner = collect_labels(dataset.dataset, repeat)
        if repeat and isinstance(dataset, ClassBalancedDataset):
            return inner.take(dataset.repeat_indices)
        if repeat and isinstance(dataset, RepeatDataset):
            return inner.take(np.tile(np.arange(len(inner)), dataset.times))
        return inner
    return _read_labels(dataset)


# Samplers, wrappers and the hook that counts all ask for the labels of the
# same data set, and reading those of a large one takes seconds.
_READ: WeakKeyDictionary[Any, ImageLabels] = WeakKeyDictionary()


def _read_labels(dataset: Any) -> ImageLabels:
    """The labels of a data set without wrappers, read once."""
    if not hasattr(dataset, 'get_data_info'):
        raise TypeError(
            f'dataset: {type(dataset).__name__} has no `get_data_info`, so '
            'its labels cannot be read; use a data set of mmpretrain or '
            'mmdet, or a subclass of mmengine.dataset.BaseDataset'
        )
    if not isinstance(dataset, Hashable):
        return _read_annotations(dataset)
    known = _READ.get(dataset)
    # Taking a part of the data set, in place, changes its length.
    if known is None or len(known) != len(dataset):
        _READ[dataset] = known = _read_annotations(dataset)
    return known


def _read_annotations(dataset: Any) -> ImageLabels:
    labels: list[int] = []
    centres = BoxCentres()
    lengths = np.empty(len(dataset), dtype=np.int64)
    for index, info in enumerate(_annotations(dataset)):
        if 'instances' in info:
            counted = [
                each
                for each in info['instances']
                if not each.get('ignore_flag', 0)
            ]
            row = [each['bbox_label'] for each in counted]
            if row:
                centres.add(info, counted)
        else:
            row = _image_labels(info, dataset, index)
        labels.extend(row)
        lengths[index] = len(row)
    values = np.array(labels, dtype=np.int64)
    if values.size and values.min() < 0:
        image = int(
            np.searchsorted(lengths.cumsum(), values.argmin(), 'right')
        )
        raise ValueError(
            f'dataset: image {image} of {type(dataset).__name__} has the '
            f'label {values.min()}; labels must be >= 0'
        )
    values.flags.writeable = False
    return ImageLabels(
        values, _offsets(lengths), *centres.centres_areas_and_sizes(lengths)
    )


def _annotations(dataset: Any) -> Iterator[dict]:
    """The annotation of each image, to be read only."""
    # MMEngine's slice of a data set (`num_batch_per_epoch`) passes it on.
    reader = getattr(type(dataset), 'get_data_info', None)
    if reader is not BaseDataset.get_data_info:
        yield from map(dataset.get_data_info, range(len(dataset)))
    elif dataset.serialize_data:
        content, start = memoryview(dataset.data_bytes), 0
        for stop in dataset.data_address.tolist():
            yield pickle.loads(content[start:stop])
            start = stop
    else:
        # `get_data_info` deep-copies each entry, which is slow.
        yield from dataset.data_list


def _image_labels(info: dict, dataset: Any, index: int) -> list[int]:
    label = info.get('gt_label')
    if label is not None:
        return [label] if np.ndim(label) == 0 else list(label)
    raise ValueError(
        f'dataset: image {index} of {type(dataset).__name__} has neither '
        '`gt_label` nor `instances`; it is a data set without labels '
        '(a test split?)'
    )
