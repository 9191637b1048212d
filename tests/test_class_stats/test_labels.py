import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.datasets import (
    CocoDataset,
    LVISV1Dataset,
    MultiImageMixDataset,
    VOCDataset,
)
from mmengine.dataset import BaseDataset, ClassBalancedDataset
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.datasets import VOC, CustomDataset
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.labels import ImageLabels, collect_labels


@DATASETS.register_module(force=True)
class Labels(BaseDataset):
    """A data set of nothing but ``infos``."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def __init__(self, infos, serialize_data=False, **kwargs):
        self.infos = infos
        super().__init__(serialize_data=serialize_data, **kwargs)

    def load_data_list(self):
        return [dict(info) for info in self.infos]

    def get_cat_ids(self, index):
        return np.atleast_1d(self.get_data_info(index)['gt_label']).tolist()


class Looked(Labels):
    """``get_data_info`` is more than a look into the list."""

    def get_data_info(self, idx):
        return {'gt_label': super().get_data_info(idx)['gt_label'] + 1}


def single(labels, **kwargs):
    return Labels([{'gt_label': label} for label in labels], **kwargs)


def rows(labels):
    """The labels of each image, as nested lists."""
    parts = np.split(labels.labels, labels.offsets[1:-1])
    return [part.tolist() for part in parts]


def collected(dataset, **kwargs):
    return rows(collect_labels(dataset, **kwargs))


@pytest.fixture
def image_labels():
    return ImageLabels(np.array([2, 0, 2, 1]), np.array([0, 3, 3, 4]))


def test_rows(image_labels):
    assert len(image_labels) == 3
    assert_array_equal(image_labels.lengths, [3, 0, 1])
    assert_array_equal(image_labels.image_index, [0, 0, 0, 2])


@pytest.mark.parametrize(
    'indices', [[2, 0, 1], [0, 0, 2, 0], [1], [], [1, 1, 2]]
)
def test_take(image_labels, indices):
    taken = image_labels.take(indices)
    expected = [[[2, 0, 2], [], [1]][index] for index in indices]
    assert len(taken) == len(indices)
    assert [len(row) for row in expected] == taken.lengths.tolist()
    assert [k for row in expected for k in row] == taken.labels.tolist()


def test_unique(image_labels):
    image_index, labels = image_labels.unique()
    assert_array_equal(image_index, [0, 0, 2])
    assert_array_equal(labels, [0, 2, 1])


def test_unique_of_nothing():
    labels = ImageLabels(np.zeros(0, dtype=int), np.array([0, 0, 0]))
    assert [len(part) for part in labels.unique()] == [0, 0]


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('lazy_init', [True, False])
def test_single_label(serialize_data, lazy_init):
    dataset = single(
        [2, 0, 0, 1], serialize_data=serialize_data, lazy_init=lazy_init
    )
    assert collected(dataset) == [[2], [0], [0], [1]]
    assert dataset.get_data_info(1) == {'gt_label': 0, 'sample_idx': 1}


@pytest.mark.parametrize('serialize_data', [True, False])
def test_multi_label(serialize_data):
    dataset = single([[2, 0], [], (1,)], serialize_data=serialize_data)
    assert collected(dataset) == [[2, 0], [], [1]]


@pytest.mark.parametrize('to', [np.array, torch.tensor])
def test_labels_of_any_kind(to):
    assert collected(single([to([2, 0]), to([1])])) == [[2, 0], [1]]
    assert collected(single([to(2), to(1)])) == [[2], [1]]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_instances(serialize_data):
    infos = [
        {
            'instances': [
                {'bbox_label': 2, 'ignore_flag': 0},
                {'bbox_label': 2},
                {'bbox_label': 1, 'ignore_flag': 1},
            ]
        },
        {'instances': []},
    ]
    dataset = Labels(infos, serialize_data=serialize_data)
    assert collected(dataset) == [[2, 2], []]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_own_get_data_info_is_used(serialize_data):
    infos = [{'gt_label': 0}, {'gt_label': 1}]
    dataset = Looked(infos, serialize_data=serialize_data)
    assert collected(dataset) == [[1], [2]]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_part_of_a_base_dataset(serialize_data):
    dataset = single(
        [2, 0, 0, 1], serialize_data=serialize_data, indices=[3, 0]
    )
    assert collected(dataset) == [[1], [2]]
    assert collected(dataset.get_subset([1])) == [[2]]


def test_slice_of_a_data_set():
    """MMEngine slices the data set for ``num_batch_per_epoch``."""
    loader = Runner.build_dataloader(
        {
            'dataset': single([2, 0, 0, 1]),
            'batch_size': 1,
            'num_batch_per_epoch': 3,
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        }
    )
    assert collected(loader.dataset) == [[2], [0], [0]]


def test_folder_per_class(tmp_path):
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    for name, count in (('bee', 3), ('ant', 1), ('cat', 2)):
        (tmp_path / name).mkdir()
        for index in range(count):
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), image)
    dataset = CustomDataset(data_prefix=str(tmp_path))
    assert collected(dataset) == [[0], [1], [1], [1], [2], [2]]
    stats = collect_class_stats(dataset)
    assert stats.classes == ('ant', 'bee', 'cat')
    assert_array_equal(stats.image_count, [1, 3, 2])
    assert_array_equal(stats.instance_count, [1, 3, 2])


VOC_XML = """<annotation>
<size><width>20</width><height>20</height><depth>3</depth></size>
{}</annotation>"""
VOC_OBJECT = """<object><name>{}</name><difficult>{}</difficult><bndbox>
<xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox></object>
"""


@pytest.fixture
def voc_root(tmp_path):
    """Pascal VOC with three images, of one the objects are difficult."""
    root = tmp_path / 'VOC2007'
    for folder in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / folder).mkdir(parents=True)
    objects = {
        '000001': [('dog', 0), ('dog', 0), ('cat', 0)],
        '000002': [('cat', 1)],
        '000003': [('aeroplane', 0), ('cat', 1)],
    }
    for name, content in objects.items():
        text = ''.join(VOC_OBJECT.format(*entry) for entry in content)
        file = root / 'Annotations' / f'{name}.xml'
        file.write_text(VOC_XML.format(text))
    names = '\n'.join(objects)
    (root / 'ImageSets/Main/train.txt').write_text(names)
    return root


def test_pascal_voc_for_detection(voc_root):
    dataset = VOCDataset(
        data_root=str(voc_root.parent),
        ann_file='VOC2007/ImageSets/Main/train.txt',
        data_prefix=dict(sub_data_root='VOC2007/'),
    )
    assert collected(dataset) == [[11, 11, 7], [], [0]]
    stats = collect_class_stats(dataset)
    assert (stats.num_classes, stats.num_images) == (20, 3)
    assert (stats.image_count[11], stats.instance_count[11]) == (1, 2)
    assert (stats.image_count[7], stats.instance_count[7]) == (1, 1)


def test_pascal_voc_for_multi_label(voc_root):
    dataset = VOC(data_root=str(voc_root), split='train')
    labels = [sorted(row) for row in collected(dataset)]
    assert labels == [[7, 11], [], [0]]
    stats = collect_class_stats(dataset)
    assert (stats.num_classes, stats.num_images) == (20, 3)
    assert_array_equal(stats.image_count, stats.instance_count)


def annotation(image_id, category_id, **more):
    return {
        'image_id': image_id,
        'category_id': category_id,
        'bbox': [1, 1, 8, 8],
        'area': 64,
        'segmentation': [[1, 1, 9, 1, 9, 9]],
        **more,
    }


def write_detection(path, categories, annotations):
    """COCO's json, with LVIS's keys: images 7, 8 and 9, the last empty."""
    images = [
        {
            'id': number,
            'file_name': f'{number}.jpg',
            'coco_url': f'http://images.cocodataset.org/val2017/{number}.jpg',
            'width': 20,
            'height': 20,
            'neg_category_ids': [],
            'not_exhaustive_category_ids': [],
        }
        for number in (7, 8, 9)
    ]
    for number, entry in enumerate(annotations):
        entry['id'] = number + 1
    path.write_text(
        json.dumps(
            {
                'images': images,
                'annotations': annotations,
                'categories': [
                    {'id': number, 'name': name}
                    for number, name in categories.items()
                ],
            }
        )
    )
    return str(path)


@pytest.mark.parametrize('serialize_data', [True, False])
@pytest.mark.parametrize('filter_empty', [True, False])
def test_coco(tmp_path, serialize_data, filter_empty):
    ann_file = write_detection(
        tmp_path / 'coco.json',
        {3: 'bee', 18: 'ant', 40: 'cat'},
        [
            annotation(7, 18, iscrowd=0),
            annotation(7, 18, iscrowd=0),
            annotation(7, 3, iscrowd=1),
            annotation(8, 3, iscrowd=0),
            annotation(8, 40, iscrowd=0, ignore=True),
        ],
    )
    dataset = CocoDataset(
        ann_file=ann_file,
        data_prefix=dict(img=''),
        metainfo=dict(classes=('bee', 'ant', 'cat')),
        filter_cfg=dict(filter_empty_gt=filter_empty),
        serialize_data=serialize_data,
    )
    assert collected(dataset)[:2] == [[1, 1], [0]]
    stats = collect_class_stats(dataset)
    assert_array_equal(stats.image_count, [1, 1, 0])
    assert_array_equal(stats.instance_count, [1, 2, 0])
    assert stats.num_images == (2 if filter_empty else 3)
    assert stats.classes == ('bee', 'ant', 'cat')


def test_lvis(tmp_path):
    ann_file = write_detection(
        tmp_path / 'lvis.json',
        {1: 'aerosol_can', 2: 'air_conditioner', 3: 'airplane'},
        [annotation(7, 3), annotation(7, 3), annotation(8, 3),
         annotation(8, 1)],
    )  # fmt: skip
    dataset = LVISV1Dataset(ann_file=ann_file, data_prefix=dict(img=''))
    assert collected(dataset) == [[2, 2], [2, 0], []]
    stats = collect_class_stats(dataset)
    assert (stats.num_classes, stats.num_images) == (1203, 3)
    assert_array_equal(stats.image_count[:3], [1, 0, 2])
    assert_array_equal(stats.instance_count[:3], [1, 0, 3])
    assert not stats.image_count[3:].any()


LABELS = [2, 0, 0, 1, 0, 0, 0, 0]


def config(labels, **kwargs):
    infos = [{'gt_label': label} for label in labels]
    return dict(type='Labels', infos=infos, **kwargs)


def concat(*datasets):
    return dict(type='ConcatDataset', datasets=list(datasets))


def repeat(dataset, times):
    return dict(type='RepeatDataset', dataset=dataset, times=times)


def class_balanced(dataset):
    return dict(
        type='ClassBalancedDataset', dataset=dataset, oversample_thr=0.6
    )


def fold(dataset, **kwargs):
    return dict(
        type='mmpretrain.KFoldDataset',
        dataset=dataset,
        fold=1,
        num_splits=4,
        **kwargs,
    )


def long_tailed(dataset, counts):
    return dict(type='mmlt.LongTailedDataset', dataset=dataset, counts=counts)


def wrappers(**kwargs):
    data = config(LABELS, **kwargs)
    return {
        'concat': concat(data, config([1, 1])),
        'repeat': repeat(data, 3),
        'class_balanced': class_balanced(data),
        'fold': fold(data),
        'fold_shuffled': fold(data, seed=3),
        'fold_test': fold(data, test_mode=True),
        'long_tailed': long_tailed(data, [4, 1, 0]),
        'repeat_of_concat': repeat(concat(data, config([[1, 2]])), 2),
        'concat_of_repeat': concat(repeat(data, 2), config([1, 1])),
        'concat_of_fold': concat(fold(data), fold(data, test_mode=True)),
        'repeat_of_long_tailed': repeat(long_tailed(data, [6, 1, 1]), 2),
        'long_tailed_of_repeat': long_tailed(repeat(data, 2), [9, 2, 1]),
    }


def assert_position_i_is_item_i(dataset):
    labels = collected(dataset)
    assert len(labels) == len(dataset)
    for index, row in enumerate(labels):
        item = dataset[index]['gt_label']
        assert row == np.atleast_1d(item).tolist()


@pytest.mark.parametrize('name', wrappers())
@pytest.mark.parametrize('serialize_data', [True, False])
def test_position_i_is_item_i(name, serialize_data):
    dataset = DATASETS.build(wrappers(serialize_data=serialize_data)[name])
    assert_position_i_is_item_i(dataset)


@pytest.mark.parametrize('name', ['concat', 'repeat', 'class_balanced'])
def test_lazy_wrappers(name):
    dataset = wrappers(lazy_init=True)[name]
    dataset = DATASETS.build(dict(dataset, lazy_init=True))
    assert_position_i_is_item_i(dataset)


@pytest.mark.parametrize('indices', [[7, 0, 3], np.array([2, 2])])
def test_position_i_is_item_i_in_pytorch_wrappers(indices):
    subset = Subset(DATASETS.build(repeat(config(LABELS), 2)), indices)
    assert_position_i_is_item_i(subset)
    assert_position_i_is_item_i(subset + Subset(single(LABELS), [1]))


def test_class_balanced_repeats_rare_classes():
    dataset = ClassBalancedDataset(single(LABELS), oversample_thr=0.6)
    assert len(collected(dataset)) > len(LABELS)


@pytest.mark.parametrize('wrap', [lambda data: repeat(data, 3),
                                  class_balanced])  # fmt: skip
def test_each_image_once(wrap):
    dataset = DATASETS.build(wrap(config(LABELS)))
    assert collected(dataset, repeat=False) == [[label] for label in LABELS]
    stats = collect_class_stats(dataset)
    assert_array_equal(stats.image_count, [6, 1, 1])
    assert stats.num_images == 8
    assert stats.classes == ('ant', 'bee', 'cat')


def test_each_image_once_below_a_concat():
    dataset = DATASETS.build(wrappers()['concat_of_repeat'])
    expected = [[label] for label in [*LABELS, 1, 1]]
    assert collected(dataset, repeat=False) == expected


def test_multi_image_mix():
    dataset = MultiImageMixDataset(single(LABELS), pipeline=[])
    assert collected(dataset) == [[label] for label in LABELS]


def test_long_tailed_counts():
    dataset = DATASETS.build(wrappers()['long_tailed'])
    assert_array_equal(collect_class_stats(dataset).image_count, [4, 1, 0])


def test_class_names_below_pytorch_wrappers():
    dataset = Subset(single(LABELS), [0, 1]) + single([2])
    stats = collect_class_stats(dataset)
    assert stats.classes == ('ant', 'bee', 'cat')
    assert_array_equal(stats.image_count, [1, 0, 2])


def test_without_class_names_the_largest_label_counts():
    dataset = single([0, 3, 3])
    dataset._metainfo = {}
    stats = collect_class_stats(dataset)
    assert_array_equal(stats.image_count, [1, 0, 0, 2])
    assert stats.classes is None


def test_no_data_set():
    with pytest.raises(TypeError, match='list has no `get_data_info`'):
        collect_labels([1, 2])


@pytest.mark.parametrize('serialize_data', [True, False])
def test_negative_label(serialize_data):
    dataset = single([[0, 1], [], [2, -1], [0]], serialize_data=serialize_data)
    with pytest.raises(ValueError, match='image 2 of Labels has the label -1'):
        collect_labels(dataset)


@pytest.mark.parametrize('info', [{'img_path': 'a.png'}, {'gt_label': None}])
def test_without_labels(info):
    with pytest.raises(ValueError, match='image 1 of Labels has neither'):
        collect_labels(Labels([{'gt_label': 0}, info]))


def test_label_beyond_the_classes():
    with pytest.raises(ValueError, match='the label 3 but only 3 classes'):
        collect_class_stats(single([0, 3]))


def test_no_label_at_all():
    dataset = Labels([{'instances': []}, {'instances': []}])
    with pytest.raises(ValueError, match='zero for all 3 classes'):
        collect_class_stats(dataset)
