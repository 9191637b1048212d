r"""Batches of smaller images: Stitcher's two forms.

`Stitcher <https://arxiv.org/abs/2004.12432>`_, section 3.2. H and W are the
largest height and width of the images, rounded up to 32; k images take the
pixels of one:

- :func:`stitch`, its figure 3: sqrt(k) x sqrt(k) images side by side, each
  resized to :math:`(H / \sqrt k, W / \sqrt k)`, in the order of reading;
- :func:`shrink`, its batch dimension: k images instead of one, each of
  :math:`(H / \sqrt k, W / \sqrt k)`, rounded to 32.

Images are resized by their nearest pixels, and aspect ratios are not kept.
What has boxes follows, with its masks and whatever else it has: objects,
ignored ones (crowds), and proposals.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData
from torch import Tensor

DIVISOR = 32
Batch = tuple[list[Tensor], list[DetDataSample]]


def stitch(
    images: Sequence[Tensor], samples: Sequence[DetDataSample], k: int
) -> Batch:
    """Images of k images each.

    Args:
        images (Sequence[Tensor]): N images (3, h, w), before they are padded.
        samples (Sequence[DetDataSample]): What they show.
        k (int): Images in one, a square number.

    Returns:
        tuple: N / k images (3, H, W) and samples. What tells where an image
        comes from is that of the first of its k.

    Raises:
        ValueError: If k does not divide N, an image has another size than its
            sample says, or a sample has something without boxes.
    """
    return _compose(images, samples, _common_size(images), math.isqrt(k))


def shrink(
    images: Sequence[Tensor], samples: Sequence[DetDataSample], k: int
) -> Batch:
    """Images of 1 / k of the pixels.

    Args:
        images (Sequence[Tensor]): N images (3, h, w), before they are padded.
        samples (Sequence[DetDataSample]): What they show.
        k (int): Images instead of one.

    Returns:
        tuple: N smaller images and samples.

    Raises:
        ValueError: As in :func:`stitch`.
    """
    height, width = (
        max(1, math.floor(side / math.sqrt(k) / DIVISOR + 0.5)) * DIVISOR
        for side in _common_size(images)
    )
    return _compose(images, samples, (height, width), 1)


def _common_size(images: Sequence[Tensor]) -> tuple[int, int]:
    height, width = (
        max(math.ceil(image.shape[axis] / DIVISOR) for image in images)
        for axis in (-2, -1)
    )
    return height * DIVISOR, width * DIVISOR


def _compose(
    images: Sequence[Tensor],
    samples: Sequence[DetDataSample],
    size: tuple[int, int],
    side: int,
) -> Batch:
    """Fill images of a size with side x side images each."""
    _check(images, samples, side * side)
    # Without a rest: where a side cannot be divided, cells differ by a pixel.
    rows, columns = (
        list(pairwise(i * length // side for i in range(side + 1)))
        for length in size
    )
    cells = [
        (top, left, bottom - top, right - left)
        for top, bottom in rows
        for left, right in columns
    ]
    filled, shown = [], []
    for start in range(0, len(images), len(cells)):
        canvas = images[start].new_empty(len(images[start]), *size)
        parts = defaultdict(list)
        for index, (top, left, height, width) in enumerate(cells, start):
            image = F.interpolate(images[index][None], (height, width))[0]
            canvas[:, top : top + height, left : left + width] = image
            height_before, width_before = images[index].shape[-2:]
            scale = width / width_before, height / height_before
            for key, instances in samples[index].items():
                parts[key].append(
                    _move(instances, scale, (height, width), (top, left), size)
                )
        sample = type(samples[start])(metainfo=samples[start].metainfo)
        sample.set_metainfo(
            dict(img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))
        )
        for key, moved in parts.items():
            setattr(sample, key, InstanceData.cat(moved))
        filled.append(canvas)
        shown.append(sample)
    return filled, shown


def _move(
    instances: InstanceData,
    scale: tuple[float, float],
    shape: tuple[int, int],
    place: tuple[int, int],
    size: tuple[int, int],
) -> InstanceData:
    """Instances of an image that is resized and laid on a larger one.

    Args:
        instances (InstanceData): With boxes, masks or both.
        scale (tuple): New width over old, new height over old.
        shape (tuple): New height and width.
        place (tuple): Top and left on the larger one.
        size (tuple): Height and width of the larger one.
    """
    top, left = place
    moved = instances.new()
    if 'bboxes' in instances:
        boxes = instances.bboxes
        typed = isinstance(boxes, BaseBoxes)
        boxes = boxes.clone() if typed else HorizontalBoxes(boxes)
        boxes.rescale_(scale)
        boxes.translate_((left, top))
        moved.bboxes = boxes if typed else boxes.tensor
    if 'masks' in instances:
        masks = instances.masks.resize(shape)
        if isinstance(masks, BitmapMasks):
            moved.masks = masks.expand(*size, top, left)
        else:
            masks = masks.translate(size, left, 'horizontal')
            moved.masks = masks.translate(size, top, 'vertical')
    return moved


def _check(
    images: Sequence[Tensor], samples: Sequence[DetDataSample], number: int
) -> None:
    if len(images) % number:
        raise ValueError(
            f'{len(images)} images cannot be stitched by {number}; the batch '
            'must hold a multiple of k'
        )
    for image, sample in zip(images, samples, strict=True):
        shape = tuple(sample.img_shape[:2])
        if image.shape[-2:] != shape:
            raise ValueError(
                f'an image of {tuple(image.shape[-2:])} pixels has '
                f'img_shape={shape}: boxes go by the latter, so stitching '
                'needs images as the pipeline gives them, without padding '
                'that img_shape does not count'
            )
        if {*sample.keys()} != {*samples[0].keys()}:
            raise ValueError(
                f'samples have {sample.keys()} and {samples[0].keys()}; those '
                'that are stitched must have the same parts'
            )
        for key, part in sample.items():
            if not isinstance(part, InstanceData):
                raise ValueError(
                    f'{key} ({type(part).__name__}) cannot be stitched, only '
                    'objects with boxes and masks can: leave it out of '
                    'LoadAnnotations'
                )
