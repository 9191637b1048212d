"""Sizes of objects, against a loop over them."""

import json

import mmcv
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from numpy.testing import assert_allclose, assert_array_equal
from torch.utils.data import ConcatDataset as TorchConcat
from torch.utils.data import Subset

from mmlt.class_stats.labels import collect_labels
from mmlt.class_stats.sizes import (
    check_bounds,
    collect_size_stats,
    count_sizes,
    input_scale,
    read_coco_labels,
    size_names,
)

C = 4
RNG = np.random.default_rng(0)


class Boxes(BaseDataset):
    METAINFO = {'classes': ('ant', 'bee', 'cat', 'dog')}  # noqa: RUF012

    def __init__(self, infos):
        self.infos = infos
        super().__init__()

    def load_data_list(self):
        return list(self.infos)


def make_coco(images=30):
    """Annotations of COCO: no dogs, crowds, images without an object."""
    content = dict(
        # Neither ids nor their order mean anything.
        categories=[
            dict(id=id_, name=name)
            for id_, name in ((9, 'dog'), (2, 'ant'), (7, 'cat'), (5, 'bee'))
        ],
        images=[],
        annotations=[],
    )
    for id_ in RNG.permutation(images).tolist():
        width, height = RNG.integers(60, 600, 2).tolist()
        content['images'].append(dict(id=id_, width=width, height=height))
        for _ in range(RNG.integers(0, 6)):
            w, h = np.exp(RNG.uniform(1, 5.5, 2)).round(2).tolist()
            content['annotations'].append(
                dict(
                    image_id=id_,
                    category_id=int(RNG.choice([2, 5, 7])),
                    bbox=[1.5, 2.5, w, h],
                    area=round(w * h * 0.6, 3),
                    iscrowd=int(RNG.random() < 0.2),
                    segmentation=[[1.5, 2e-3, -4], [1, 2, 3]],
                )
            )
    RNG.shuffle(content['annotations'])
    content['annotations'][0].update(bbox=[1, 2, 32, 32], area=1000)
    return content


COCO = make_coco()
COCO['annotations'][1]['segmentation'] = dict(counts=[1, 2], size=[3, 1])
ORDER = [2, 5, 7, 9]


def as_dataset(content):
    infos = []
    for image in content['images']:
        instances = []
        for each in content['annotations']:
            if each['image_id'] == image['id']:
                x, y, w, h = each['bbox']
                instances.append(
                    dict(
                        bbox=[x, y, x + w, y + h],
                        bbox_label=ORDER.index(each['category_id']),
                        ignore_flag=each['iscrowd'],
                    )
                )
        infos.append(
            dict(
                width=image['width'],
                height=image['height'],
                instances=instances,
            )
        )
    return Boxes(infos)


def direct_count(content, bounds, area_of, crowds=False):
    """Objects of each class and size, images of each size, of any."""
    boxes = np.zeros((C, len(bounds) + 1), dtype=int)
    images = [set() for _ in range(len(bounds) + 1)]
    sizes = {x['id']: (x['width'], x['height']) for x in content['images']}
    for each in content['annotations']:
        if each['iscrowd'] and not crowds:
            continue
        area = area_of(each, sizes[each['image_id']])
        size = sum(area >= bound for bound in bounds)
        boxes[ORDER.index(each['category_id']), size] += 1
        images[size].add(each['image_id'])
    return boxes, [len(x) for x in images], len(set.union(*images))


def box_area(each, _):
    return each['bbox'][2] * each['bbox'][3]


def assert_counts(stats, boxes, images, some):
    assert_array_equal(stats.box_count, boxes)
    assert_array_equal(stats.image_count, images)
    assert stats.num_images == some


@pytest.mark.parametrize('bounds', [(1024, 9216), (500.0,), (90, 900, 4000)])
def test_data_set(bounds):
    stats = collect_size_stats(as_dataset(COCO), bounds)
    assert_counts(stats, *direct_count(COCO, bounds, box_area))
    assert stats.classes == ('ant', 'bee', 'cat', 'dog')
    assert stats.box_count.min(axis=0).sum() == 0
    assert stats.num_images < 30


@pytest.mark.parametrize('crowds', [False, True])
@pytest.mark.parametrize('area', ['box', 'field'])
def test_annotations(tmp_path, area, crowds):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(COCO))
    labels, classes = read_coco_labels(path, area, crowds)
    stats = count_sizes(labels, len(classes), classes=classes)
    area_of = box_area if area == 'box' else lambda each, _: each['area']
    bounds = (1024, 9216)
    assert_counts(stats, *direct_count(COCO, bounds, area_of, crowds))
    assert stats.classes == ('ant', 'bee', 'cat', 'dog')
    assert json.loads(json.dumps(stats.to_dict())) == dict(
        bounds=[1024, 9216],
        box_count=stats.box_count.tolist(),
        image_count=stats.image_count.tolist(),
        num_images=stats.num_images,
        classes=['ant', 'bee', 'cat', 'dog'],
    )


def test_shares():
    stats = collect_size_stats(as_dataset(COCO))
    assert stats.box_share.sum() == pytest.approx(1)
    assert_allclose(stats.image_share, stats.image_count / stats.num_images)
    assert_allclose(stats.class_share[:3].sum(axis=1), 1)
    assert np.isnan(stats.class_share[3]).all()


SCALES = [(1333, 800), (300, 300), (100, 640)]


@pytest.mark.parametrize('scale', SCALES)
def test_scale_is_that_of_resize(scale):
    sizes = RNG.integers(1, 900, (50, 2))
    expected = []
    for w, h in sizes.tolist():
        new_w, new_h = mmcv.rescale_size((w, h), scale)
        expected.append(new_w * new_h / w / h)
    assert_allclose(input_scale(sizes, scale), expected)


@pytest.mark.parametrize('scale', SCALES)
def test_at_the_scale_of_the_input(tmp_path, scale):
    def resized(each, size):
        new_w, new_h = mmcv.rescale_size(size, scale)
        w, h = each['bbox'][2:]
        return w * new_w / size[0] * h * new_h / size[1]

    expected = direct_count(COCO, (1024, 9216), resized)
    stats = collect_size_stats(as_dataset(COCO), scale=scale)
    assert_counts(stats, *expected)
    path = tmp_path / 'x.json'
    path.write_text(json.dumps(COCO))
    labels, _ = read_coco_labels(path)
    assert_counts(count_sizes(labels, C, scale=scale), *expected)


def test_wrappers():
    dataset = as_dataset(COCO)
    whole = collect_size_stats(dataset, scale=(300, 300))
    parts = [Subset(dataset, range(10)), Subset(dataset, range(29, 9, -1))]
    wrapped = RepeatDataset(dataset, times=3)
    halves = Boxes(dataset.infos[:9]), Boxes(dataset.infos[9:])
    two = ConcatDataset([*halves])
    for each in (TorchConcat(parts), wrapped, two):
        stats = collect_size_stats(each, scale=(300, 300))
        assert_array_equal(stats.box_count, whole.box_count)
        assert_array_equal(stats.image_count, whole.image_count)
    labels = collect_labels(dataset)
    of_cats = labels.only(np.array([2]))
    assert_array_equal(of_cats.image_sizes, labels.image_sizes)
    stats = count_sizes(of_cats, C, scale=(300, 300))
    assert_array_equal(stats.box_count[2], whole.box_count[2])
    assert stats.box_count.sum() == whole.box_count[2].sum()


def test_without_an_object(tmp_path):
    path = tmp_path / 'x.json'
    path.write_text(json.dumps({**COCO, 'annotations': []}))
    labels, _ = read_coco_labels(path)
    stats = count_sizes(labels, C, scale=(300, 300))
    assert stats.num_images == stats.box_count.sum() == 0
    assert_array_equal(stats.box_share, [0, 0, 0])
    assert_array_equal(stats.image_share, [0, 0, 0])


@pytest.mark.parametrize(
    'bounds', [None, (), 1024, 'small', ['1', '2'], (4, 4), (4, 1), (0, 1)]
)
def test_bad_bounds(bounds):
    with pytest.raises((TypeError, ValueError), match='bounds'):
        check_bounds(bounds)


@pytest.mark.parametrize('scale', [300, (300,), (0, 300), ('a', 'b')])
def test_bad_scale(scale):
    with pytest.raises((TypeError, ValueError), match='scale'):
        collect_size_stats(as_dataset(COCO), scale=scale)


def test_bad_data(tmp_path):
    info = dict(instances=[dict(bbox_label=0, ignore_flag=0)])
    with pytest.raises(ValueError, match='each instance needs a bbox'):
        collect_size_stats(Boxes([info]))
    info = dict(
        width=9, height=9, instances=[dict(bbox_label=4, bbox=[0] * 4)]
    )
    with pytest.raises(ValueError, match='only 4 classes'):
        collect_size_stats(Boxes([info]))
    with pytest.raises(FileNotFoundError, match=r'no file .*x\.json'):
        read_coco_labels(tmp_path / 'x.json')
    with pytest.raises(ValueError, match='area must be'):
        read_coco_labels(tmp_path / 'x.json', 'mask')
    path = tmp_path / 'x.json'
    path.write_text('{"images": [')
    with pytest.raises(ValueError, match='not in the format of COCO'):
        read_coco_labels(path)
    for wrong in ([1, 2], dict(COCO, images=[dict(id=1)]), dict(images=[])):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ValueError, match='not in the format of COCO'):
            read_coco_labels(path)
    path.write_text(json.dumps(dict(COCO, images=COCO['images'][:1])))
    with pytest.raises(ValueError, match='which it does not list'):
        read_coco_labels(path)


def test_names():
    assert check_bounds([1024, 9216.0]) == (1024, 9216.0)
    assert size_names(3) == ['small', 'medium', 'large']
    assert size_names(2) == ['small', 'large']
    assert size_names(4) == ['size0', 'size1', 'size2', 'size3']
