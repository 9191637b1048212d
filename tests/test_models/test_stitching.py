"""Stitched images against four corners, written out."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.structures import InstanceData, PixelData
from torch.testing import assert_close

from mmlt.models.stitching import shrink, stitch


def make_image(height, width, boxes, typed=False, masks='bitmap', seed=0):
    """An image with boxes, the first of which is ignored, too."""
    generator = torch.Generator().manual_seed(seed)
    image = torch.randint(0, 256, (3, height, width), generator=generator)
    boxes = torch.tensor(boxes, dtype=torch.float).reshape(-1, 4)
    sample = DetDataSample(
        metainfo=dict(
            img_id=seed,
            img_shape=(height, width),
            ori_shape=(height, width),
            scale_factor=(1.0, 1.0),
        )
    )
    objects = dict(
        bboxes=HorizontalBoxes(boxes) if typed else boxes,
        labels=torch.arange(len(boxes)) + 10 * seed,
    )
    corners = [
        [np.array([a, b, c, b, c, d]), np.array([a, b, c, d, a, d])]
        for a, b, c, d in boxes.tolist()
    ]
    polygons = PolygonMasks(corners, height, width)
    if masks == 'polygon':
        objects['masks'] = polygons
    elif masks == 'bitmap':
        bitmaps = polygons.to_ndarray().astype(np.uint8)
        objects['masks'] = BitmapMasks(bitmaps, height, width)
    sample.gt_instances = InstanceData(**objects)
    sample.ignored_instances = InstanceData(**objects)[:1]
    return image.byte(), sample


BOXES = [
    [[2, 4, 30, 20], [8, 8, 16, 16]],
    [[0, 0, 50, 38]],
    [],
    [[10, 4, 40, 44], [1, 2, 3, 4], [20, 20, 60, 60]],
]
SIZES = [(48, 64), (40, 50), (64, 48), (61, 62)]


def make_batch(times=1, **kwargs):
    pairs = [
        make_image(*SIZES[i % 4], BOXES[i % 4], seed=i, **kwargs)
        for i in range(4 * times)
    ]
    return [list(part) for part in zip(*pairs, strict=True)]


@pytest.mark.parametrize('typed', [False, True])
def test_stitch_is_four_corners(typed):
    images, samples = make_batch(times=2, typed=typed)
    stitched, shown = stitch(images, samples, 4)
    assert len(stitched) == len(shown) == 2
    height = width = 64  # The largest sides, rounded up to 32.
    for number in range(2):
        four = images[4 * number : 4 * number + 4]
        small = [F.interpolate(x[None], (32, 32))[0] for x in four]
        top = torch.cat(small[:2], dim=2)
        bottom = torch.cat(small[2:], dim=2)
        assert stitched[number].dtype == torch.uint8
        assert_close(stitched[number], torch.cat([top, bottom], dim=1))
        sample = shown[number]
        assert sample.img_shape == (height, width)
        boxes, labels, ignored = [], [], []
        for corner, (x, y) in enumerate([(0, 0), (32, 0), (0, 32), (32, 32)]):
            index = 4 * number + corner
            h, w = SIZES[corner]
            moved = [
                [
                    a * 32 / w + x,
                    b * 32 / h + y,
                    c * 32 / w + x,
                    d * 32 / h + y,
                ]
                for a, b, c, d in BOXES[corner]
            ]
            boxes += moved
            ignored += moved[:1]
            labels += [10 * index + i for i in range(len(moved))]
        found = sample.gt_instances
        assert isinstance(found.bboxes, HorizontalBoxes) == typed
        tensors = [
            getattr(part.bboxes, 'tensor', part.bboxes)
            for part in (found, sample.ignored_instances)
        ]
        assert_close(tensors, [torch.tensor(boxes), torch.tensor(ignored)])
        assert found.labels.tolist() == labels
        assert len(sample.ignored_instances.masks) == len(ignored)


def test_masks_follow_their_images():
    images, samples = make_batch()
    before = [sample.gt_instances.masks.to_ndarray() for sample in samples]
    _, (sample,) = stitch(images, samples, 4)
    masks = sample.gt_instances.masks
    assert isinstance(masks, BitmapMasks)
    expected = []
    for corner, masks_of_image in enumerate(before):
        y, x = 32 * (corner // 2), 32 * (corner % 2)
        for mask in torch.from_numpy(masks_of_image):
            canvas = torch.zeros(64, 64, dtype=torch.uint8)
            canvas[y : y + 32, x : x + 32] = F.interpolate(
                mask[None, None], (32, 32)
            )[0, 0]
            expected.append(canvas.numpy())
    np.testing.assert_array_equal(masks.to_ndarray(), expected)


def test_all_polygons_are_kept():
    images, samples = make_batch(masks='polygon')
    _, (sample,) = stitch(images, samples, 4)
    masks = sample.gt_instances.masks
    assert (masks.height, masks.width) == (64, 64)
    assert [len(polygons) for polygons in masks] == [2] * 6
    # Bottom right: the box (20, 20, 60, 60) of an image of 61 x 62.
    x, y, right, bottom = 20 / 62, 20 / 61, 60 / 62, 60 / 61
    expected = 32 + 32 * np.array([x, y, right, bottom, x, bottom])
    np.testing.assert_allclose(masks.masks[-1][1], expected)
    # The data set may keep its samples: they are left as they were.
    assert samples[3].gt_instances.masks.masks[-1][1][0] == 20


@pytest.mark.parametrize('form', [stitch, shrink])
def test_images_without_objects(form):
    images, samples = make_batch()
    samples = [samples[2].clone() for _ in range(4)]
    for image, sample in zip(images, samples, strict=True):
        sample.set_metainfo(dict(img_shape=tuple(image.shape[-2:])))
    _, shown = form(images, samples, 4)
    for sample in shown:
        assert sample.gt_instances.bboxes.shape == (0, 4)
        assert len(sample.gt_instances.masks) == 0


def test_nine_images_leave_no_pixel_empty():
    images, samples = zip(*[make_image(64, 64, [])] * 9, strict=True)
    white = [torch.full_like(image, 255) for image in images]
    (image,), _ = stitch(white, samples, 9)
    assert image.shape == (3, 64, 64)
    assert (image == 255).all()


@pytest.mark.parametrize('k', [2, 3, 4, 8])
def test_shrink_divides_the_pixels(k):
    sizes = [(800, 1333), (600, 900)]
    pairs = [make_image(*size, [[30, 60, 90, 120]]) for size in sizes]
    images, samples = zip(*pairs, strict=True)
    small, shown = shrink(images, samples, k)
    assert len(small) == len(shown) == 2
    # Of 800 x 1344, the largest sides rounded up.
    height, width = (
        32 * int(side / math.sqrt(k) / 32 + 0.5) for side in (800, 1344)
    )
    for (h, w), image, sample, before in zip(
        sizes, small, shown, images, strict=True
    ):
        assert_close(image, F.interpolate(before[None], (height, width))[0])
        scale = torch.tensor([width / w, height / h] * 2)
        expected = torch.tensor([[30.0, 60, 90, 120]]) * scale
        assert_close(sample.gt_instances.bboxes, expected)
        assert sample.img_shape == (height, width)


def test_errors():
    images, samples = make_batch()
    with pytest.raises(ValueError, match='3 images cannot be stitched by 4'):
        stitch(images[:3], samples[:3], 4)
    with pytest.raises(ValueError, match=r'41, 50.*img_shape=\(40, 50\)'):
        stitch([images[0], F.pad(images[1], (0, 0, 0, 1))], samples[:2], 1)
    samples[1].gt_sem_seg = PixelData(sem_seg=torch.zeros(1, 40, 50))
    with pytest.raises(ValueError, match='the same parts'):
        stitch(images, samples, 4)
    with pytest.raises(ValueError, match=r'gt_sem_seg \(PixelData\) cannot'):
        shrink(images[1:2], samples[1:2], 4)
