import copy
import json

import pytest
import torch
from mmengine.dataset import ClassBalancedDataset
from mmengine.runner import Runner
from mmpretrain.models import ClsDataPreprocessor

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.labels import collect_labels
from mmlt.registry import DATASETS

# ids with gaps and out of order: 3, 7, 9 become 0, 1, 2
COCO = {
    'info': {'year': 2017},
    'images': [
        {'id': 40, 'file_name': '40.jpg', 'height': 40, 'width': 60},
        {'id': 12, 'file_name': '12.jpg', 'height': 40, 'width': 60},
        {'id': 31, 'file_name': '31.jpg', 'height': 40, 'width': 60},
        {'id': 5, 'file_name': '5.jpg', 'height': 40, 'width': 60},
    ],
    'annotations': [
        {'id': 1, 'image_id': 12, 'category_id': 9, 'iscrowd': 0},
        {'id': 2, 'image_id': 40, 'category_id': 9, 'iscrowd': 0},
        {'id': 3, 'image_id': 12, 'category_id': 3, 'iscrowd': 0},
        {'id': 4, 'image_id': 12, 'category_id': 9, 'iscrowd': 0},
        {'id': 5, 'image_id': 12, 'category_id': 7, 'iscrowd': 1},
        {'id': 6, 'image_id': 31, 'category_id': 7, 'iscrowd': 1},
        {'id': 7, 'image_id': 5, 'category_id': 7, 'ignore': 1},
    ],
    'categories': [
        {'id': 7, 'name': 'bee', 'supercategory': 'insect'},
        {'id': 3, 'name': 'ant', 'supercategory': 'insect'},
        {'id': 9, 'name': 'cat', 'supercategory': 'mammal'},
    ],
}
LVIS = {
    'images': [
        {
            'id': 9,
            'coco_url': 'http://images.cocodataset.org/train2017/0009.jpg',
            'neg_category_ids': [3],
            'not_exhaustive_category_ids': [9],
        },
        {
            'id': 25,
            'coco_url': 'http://images.cocodataset.org/val2017/0025.jpg',
            'neg_category_ids': [],
            'not_exhaustive_category_ids': [],
        },
    ],
    'annotations': [{'id': 1, 'image_id': 9, 'category_id': 9}],
    'categories': COCO['categories'],
}


@pytest.fixture
def build(tmp_path):
    def build(content=COCO, serialize_data=False, **kwargs):
        # serialising runs the garbage collector, which is slow in tests
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / 'split.json').write_text(text)
        return DATASETS.build(
            dict(
                type='mmlt.MultiLabelFromInstances',
                data_root=str(tmp_path),
                ann_file='split.json',
                serialize_data=serialize_data,
                **kwargs,
            )
        )

    return build


def labels_of(dataset):
    return [dataset.get_cat_ids(index) for index in range(len(dataset))]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_labels_of_images(build, tmp_path, serialize_data):
    dataset = build(
        data_prefix='train2017',
        lazy_init=True,
        serialize_data=serialize_data,
    )
    # neither crowds nor ignored instances count, and each class once
    assert labels_of(dataset) == [[2], [0, 2], [], []]
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cat')
    info = dataset.get_data_info(1)
    assert info['img_path'] == str(tmp_path / 'train2017' / '12.jpg')
    assert info['img_id'] == 12


def test_class_statistics_and_sampling(build):
    dataset = build()
    assert collect_labels(dataset).lengths.tolist() == [1, 2, 0, 0]
    stats = collect_class_stats(dataset)
    assert stats.image_count.tolist() == [1, 0, 2]
    assert stats.num_images == 4
    assert stats.classes == ('ant', 'bee', 'cat')
    balanced = ClassBalancedDataset(build(keep_empty=False), 0.99)
    # frequencies 1/2, 0 and 1: the image of the ant comes 1.4 times
    assert len(balanced) == 3


def test_crowds_and_images_without_a_label(build):
    assert labels_of(build(ignore_crowd=False)) == [[2], [0, 1, 2], [1], []]
    assert labels_of(build(keep_empty=False)) == [[2], [0, 2]]
    assert labels_of(build(indices=2)) == [[2], [0, 2]]


@pytest.mark.parametrize('how', ['classes', 'metainfo'])
def test_chosen_classes(build, how):
    names = ('cat', 'bee')
    given = {'classes': names}
    dataset = build(**(given if how == 'classes' else {how: given}))
    assert names == dataset.CLASSES
    assert labels_of(dataset) == [[0], [0], [], []]
    with pytest.raises(ValueError, match=r"no category \['cats'\] \(1 such"):
        build(classes=('ant', 'cats'))


def test_lvis(build, tmp_path):
    dataset = build(LVIS)
    paths = [dataset.get_data_info(index)['img_path'] for index in range(2)]
    assert paths == [
        str(tmp_path / 'train2017' / '0009.jpg'),
        str(tmp_path / 'val2017' / '0025.jpg'),
    ]
    assert labels_of(dataset) == [[2], []]
    assert 'gt_score' not in dataset.get_data_info(0)


def test_file_names_of_lvis_v0_5(build, tmp_path):
    name = 'COCO_train2014_000000000009.jpg'
    lvis, coco = copy.deepcopy(LVIS), copy.deepcopy(COCO)
    lvis['images'][0]['file_name'] = coco['images'][0]['file_name'] = name
    info = build(lvis, data_prefix='train2017').get_data_info(0)
    assert info['img_path'] == str(tmp_path / 'train2017/000000000009.jpg')
    assert build(coco).get_data_info(0)['img_path'] == str(tmp_path / name)


def test_unknown_labels(build):
    dataset = build(LVIS, unknown='ignore')
    scores = [dataset.get_data_info(i)['gt_score'].tolist() for i in (0, 1)]
    assert scores == [[0, -1, 1], [-1, -1, -1]]
    chosen = build(LVIS, unknown='ignore', classes=('cat', 'bee'))
    assert chosen.get_data_info(0)['gt_score'].tolist() == [1, -1]
    assert collect_class_stats(dataset).image_count.tolist() == [0, 0, 1]


@pytest.mark.parametrize('unknown', ['negative', 'ignore'])
def test_labels_reach_the_head(build, tmp_path, write_image, unknown):
    for path in ('train2017/0009.jpg', 'val2017/0025.jpg'):
        write_image(tmp_path / path)
    pipeline = [
        dict(type='mmcv.LoadImageFromFile'),
        dict(type='mmpretrain.PackInputs'),
    ]
    loader = Runner.build_dataloader(
        dict(
            batch_size=2,
            num_workers=0,
            dataset=build(LVIS, unknown=unknown, pipeline=pipeline),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
    )
    preprocess = ClsDataPreprocessor(num_classes=3, to_onehot=True)
    samples = preprocess(next(iter(loader)))['data_samples']
    scores = torch.stack([sample.gt_score for sample in samples])
    absent = -1 if unknown == 'ignore' else 0
    assert scores.tolist() == [[0, absent, 1], [absent] * 3]


def test_bad_arguments(build, tmp_path):
    with pytest.raises(ValueError, match=r"unknown must be .* got 'skip'"):
        build(unknown='skip')
    with pytest.raises(ValueError, match=r"key 'neg_category_ids'; only LVIS"):
        build(unknown='ignore')
    with pytest.raises(TypeError, match='keep_emtpy'):
        build(keep_emtpy=False)
    with pytest.raises(FileNotFoundError, match=r'none\.json does not exist'):
        DATASETS.build(
            dict(
                type='mmlt.MultiLabelFromInstances',
                data_root=str(tmp_path),
                ann_file='none.json',
            )
        )


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        ('{"images": [', r'ann_file .*split\.json is damaged'),
        ('[1, 2]', r'split\.json is not in the format of COCO'),
        ('{"images": [3]}', r"lacks the key 'annotations'"),
        ('{"images": [{"id": 3}], "annotations": [], "categories": []}',
         r"lacks the key 'coco_url'"),
    ],
)  # fmt: skip
def test_damaged_json(build, content, words):
    with pytest.raises(ValueError, match=words):
        build(content)


@pytest.mark.parametrize(
    ('key', 'words'),
    [
        ('image_id', r'annotates 1 images that it does not list: ids \[99\]'),
        ('category_id', r'annotates 1 categories .* ids \[99\]'),
    ],
)
def test_inconsistent_json(build, key, words):
    content = copy.deepcopy(COCO)
    content['annotations'][0][key] = 99
    with pytest.raises(ValueError, match=words):
        build(content)


@pytest.mark.parametrize(
    ('box', 'labels'),
    [
        (dict(bbox=[0, 0, 1, 1], area=1), [0]),
        (dict(bbox=[0, 0, 0.9, 9], area=8), []),
        (dict(bbox=[0, 0, 9, 0.9], area=8), []),
        (dict(bbox=[0, 0, 9, 9], area=0), []),
        (dict(bbox=[0, 0, 9, 9], area=-1), []),
        ({}, [0]),
    ],
)
def test_tiny_boxes(build, box, labels):
    image = {'id': 5, 'file_name': '5.jpg'}
    row = {'id': 1, 'image_id': 5, 'category_id': 3, **box}
    content = {**COCO, 'images': [image], 'annotations': [row]}
    assert labels_of(build(content, drop_tiny=True)) == [labels]
    assert labels_of(build(content)) == [[0]]
