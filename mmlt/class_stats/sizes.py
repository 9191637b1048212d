"""How large the objects of a training set are.

N images, L objects, C classes, S sizes.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from json import JSONDecodeError
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from mmlt.checks import check_list, check_number

from .collect import count_classes
from .labels import ImageLabels, collect_labels
from .names import class_names

# The first areas of medium and of large objects.
COCO_BOUNDS = (32**2, 96**2)
# Nearly all of an annotation file, and of no use here.
POLYGONS = re.compile(r'"segmentation":\s*\[[\d\s.,eE+\[\]-]*\]')


def check_bounds(bounds: Sequence[float]) -> tuple[float, ...]:
    """The bounds; raises unless they are positive areas that rise.

    Args:
        bounds (Sequence[float]): S - 1 areas in square pixels, each the first
            of the next size.
    """
    bounds = check_list('bounds', bounds, Real)
    for low, high in pairwise((0, *bounds)):
        check_number('bounds', high, positive=True)
        if high <= low:
            raise ValueError(
                'bounds must rise strictly, such as (1024, 9216), areas in '
                f'square pixels, got {bounds}'
            )
    return bounds


def size_names(number: int) -> list[str]:
    """Names of S sizes, the smallest first.

    Example:
        >>> size_names(2)
        ['small', 'large']
    """
    names = ['small', 'medium', 'large']
    if number == 2:
        return [names[0], names[2]]
    if number == 3:
        return names
    return [f'size{index}' for index in range(number)]


@dataclass(frozen=True, eq=False)
class SizeStats:
    """Objects and images by size.

    Args:
        bounds (tuple): S - 1 rising areas in square pixels, each the first of
            the next size.
        box_count (np.ndarray): (C, S) objects of each class and size.
        image_count (np.ndarray): (S,) images that hold an object of the size.
        num_images (int): Images that hold an object.
        classes (tuple | None): C names, if known.
    """

    bounds: tuple[float, ...]
    box_count: np.ndarray
    image_count: np.ndarray
    num_images: int
    classes: tuple[str, ...] | None = None

    @property
    def sizes(self) -> list[str]:
        """S names."""
        return size_names(len(self.bounds) + 1)

    @property
    def box_share(self) -> np.ndarray:
        """(S,) of all objects."""
        return self.box_count.sum(axis=0) / max(self.box_count.sum(), 1)

    @property
    def image_share(self) -> np.ndarray:
        """(S,) of the images with an object; they add up to more than 1."""
        return self.image_count / max(self.num_images, 1)

    @property
    def class_share(self) -> np.ndarray:
        """(C, S) of the objects of each class, NaN for one without any."""
        number = self.box_count.sum(axis=1, keepdims=True)
        with np.errstate(invalid='ignore'):
            return self.box_count / number

    def to_dict(self) -> dict:
        """All counts, for a JSON file."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in asdict(self).items()
        }


def input_scale(
    image_sizes: np.ndarray, scale: tuple[float, float]
) -> np.ndarray:
    """How many pixels of a network's input there are for each of an image.

    Those of ``Resize(scale=scale, keep_ratio=True)``: as large as fits into
    the scale, the long side into the larger number, in whole pixels.

    Args:
        image_sizes (np.ndarray): (N, 2) width and height.
        scale (tuple): Two sides in pixels.

    Returns:
        np.ndarray: (N,) ratios of areas, NaN for an image of size 0.
    """
    size = image_sizes.astype(float)
    with np.errstate(divide='ignore', invalid='ignore'):
        factor = np.minimum(
            max(scale) / size.max(axis=1), min(scale) / size.min(axis=1)
        )
        resized = np.floor(size * factor[:, None] + 0.5)
        return np.prod(resized / size, axis=1)


def count_sizes(
    labels: ImageLabels,
    num_classes: int,
    bounds: Sequence[float] = COCO_BOUNDS,
    scale: tuple[float, float] | None = None,
    classes: Sequence[str] | None = None,
) -> SizeStats:
    """Count objects and images by size.

    Args:
        labels (ImageLabels): Of N images, with areas.
        num_classes (int): Number of classes C.
        bounds (Sequence[float]): S - 1 rising areas in square pixels.
        scale (tuple | None): The scale of the network's input, see
            :func:`input_scale`. Defaults to None: that of the annotations.
        classes (Sequence[str] | None): C names.

    Raises:
        ValueError: If bounds or scale are none, or areas are not known.
    """
    bounds = check_bounds(bounds)
    if labels.areas is None:
        raise ValueError(
            'the data set does not say where its objects are: each instance '
            'needs a bbox (x1, y1, x2, y2), each image width and height'
        )
    areas, image = labels.areas, labels.image_index
    if scale is not None:
        sides = check_list('scale', scale, Real)
        if len(sides) != 2:
            raise ValueError(f'scale must be two sides, got {scale!r}')
        for side in sides:
            check_number('scale', side, positive=True)
        areas = areas * input_scale(labels.image_sizes, sides)[image]
    number = len(bounds) + 1
    size = np.digitize(areas, bounds)
    count = np.bincount(
        labels.labels * number + size, minlength=num_classes * number
    )
    present = np.zeros((len(labels), number), dtype=bool)
    present[image, size] = True
    return SizeStats(
        bounds,
        count.reshape(num_classes, number),
        present.sum(axis=0),
        int(present.any(axis=1).sum()),
        None if classes is None else tuple(classes),
    )


def collect_size_stats(
    dataset: Any,
    bounds: Sequence[float] = COCO_BOUNDS,
    scale: tuple[float, float] | None = None,
) -> SizeStats:
    """Count the boxes of a training set by size, without loading images.

    Args:
        dataset: As in
            :func:`mmlt.class_stats.collect.collect_class_stats`.
        bounds (Sequence[float]): See :func:`count_sizes`.
        scale (tuple | None): See :func:`count_sizes`.
    """
    check_bounds(bounds)
    labels = collect_labels(dataset, repeat=False)
    classes = class_names(dataset)
    number = count_classes(labels, classes)
    return count_sizes(labels, number, bounds, scale, classes)


def read_coco_labels(
    path: str | Path, area: str = 'box', crowds: bool = False
) -> tuple[ImageLabels, list[str]]:
    """The objects of a JSON file in the format of COCO or LVIS.

    Args:
        path (str | Path): The file.
        area (str): ``'box'``: width times height. ``'field'``: what the
            annotation says, in COCO that of the mask, which COCO's own sizes
            go by.
        crowds (bool): Count crowds, too. Defaults to False.

    Returns:
        tuple: Labels with areas, and C names, in the order of category ids.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has another format.
    """
    if area not in ('box', 'field'):
        raise ValueError(f"area must be 'box' or 'field', got {area!r}")
    if not Path(path).is_file():
        raise FileNotFoundError(f'annotations: no file {str(path)!r}')
    content = Path(path).read_text(encoding='utf-8')
    try:
        with _without_collector():
            content = json.loads(POLYGONS.sub('"segmentation":[]', content))
            categories = {x['id']: x['name'] for x in content['categories']}
            images = {
                x['id']: (x['width'], x['height']) for x in content['images']
            }
            known = [
                (
                    x['image_id'],
                    x['category_id'],
                    x['bbox'][2] * x['bbox'][3]
                    if area == 'box'
                    else x['area'],
                )
                for x in content['annotations']
                if crowds or not x.get('iscrowd', 0)
            ]
    except (KeyError, TypeError, IndexError, JSONDecodeError) as error:
        raise ValueError(
            f'annotations: {str(path)!r} is not in the format of COCO or '
            f'LVIS: {error!r}'
        ) from error
    image_ids, category_ids = sorted(images), sorted(categories)
    image_rank = {key: rank for rank, key in enumerate(image_ids)}
    class_rank = {key: rank for rank, key in enumerate(category_ids)}
    try:
        image = np.array([image_rank[x[0]] for x in known], dtype=np.int64)
        label = np.array([class_rank[x[1]] for x in known], dtype=np.int64)
    except KeyError as error:
        raise ValueError(
            f'annotations: {str(path)!r} has an object of the image or '
            f'category {error}, which it does not list'
        ) from error
    order = np.argsort(image, kind='stable')
    sizes = np.array([images[key] for key in image_ids], dtype=np.float32)
    return ImageLabels(
        label[order],
        np.searchsorted(image[order], np.arange(len(images) + 1)),
        areas=np.array([x[2] for x in known], dtype=np.float32)[order],
        image_sizes=sizes.reshape(-1, 2),
    ), [categories[key] for key in category_ids]


@contextmanager
def _without_collector() -> Iterator[None]:
    """A million objects, none of them garbage: a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
