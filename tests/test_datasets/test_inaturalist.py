import json

import pytest

from mmlt.class_stats import collect_class_stats
from mmlt.datasets import LongTailedDataset
from mmlt.registry import DATASETS

# ids with gaps and out of order: 3, 7, 9 become 0, 1, 2
CATEGORIES = [
    {'id': 7, 'name': 'Bufo bufo', 'supercategory': 'Amphibia'},
    {'id': 3, 'name': 'Acer rubrum', 'supercategory': 'Plantae'},
    {'id': 9, 'name': 'Corvus corax', 'supercategory': 'Aves'},
]
TRAIN = {11: 9, 12: 3, 15: 9, 13: 7, 14: 9}


def competition(category_of_image):
    return {
        'info': {'year': 2018},
        'licenses': [],
        'images': [
            {'id': image, 'file_name': f'train_val2018/Aves/{image}.jpg'}
            for image in category_of_image
        ],
        # in another order than the images
        'annotations': [
            {'id': image, 'image_id': image, 'category_id': category}
            for image, category in sorted(category_of_image.items())
        ],
        'categories': CATEGORIES,
    }


@pytest.fixture
def build(tmp_path):
    def build(content, **kwargs):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / 'split.json').write_text(text)
        return DATASETS.build(
            dict(
                type='mmlt.INaturalist',
                data_root=str(tmp_path),
                ann_file='split.json',
                **kwargs,
            )
        )

    return build


def test_reads_the_competition_json(build, tmp_path):
    dataset = build(competition(TRAIN))
    assert dataset.metainfo['classes'] == (
        'Acer rubrum', 'Bufo bufo', 'Corvus corax'
    )  # fmt: skip
    assert dataset.get_gt_labels().tolist() == [2, 0, 2, 1, 2]
    path = tmp_path / 'train_val2018' / 'Aves' / '15.jpg'
    assert dataset.get_data_info(2)['img_path'] == str(path)
    assert collect_class_stats(dataset).image_count.tolist() == [1, 1, 3]


def test_validation_gets_the_labels_of_training(build):
    train = build(competition(TRAIN))
    validation = build(competition({21: 7, 22: 3}))
    assert validation.metainfo['classes'] == train.metainfo['classes']
    assert validation.get_gt_labels().tolist() == [1, 0]


@pytest.mark.parametrize('serialize_data', [True, False])
def test_lazy_init_and_prefix(build, tmp_path, serialize_data):
    dataset = build(
        competition(TRAIN),
        data_prefix='images',
        lazy_init=True,
        serialize_data=serialize_data,
    )
    assert len(dataset) == 5
    start = str(tmp_path / 'images' / 'train_val2018')
    assert dataset[0]['img_path'].startswith(start)


def test_indices_and_long_tailed(build):
    dataset = build(competition(TRAIN), indices=[0, 1, 3, 4])
    long_tailed = LongTailedDataset(dataset, counts=[0, 1, 2])
    assert long_tailed.get_gt_labels().tolist() == [2, 1, 2]


def test_class_names_of_ones_own(build):
    names = ('maple', 'toad', 'raven')
    assert names == build(competition(TRAIN), classes=names).CLASSES
    with pytest.raises(ValueError, match=r'2 names and ann_file .* 3 categ'):
        build(competition(TRAIN), classes=names[:2])


def test_missing_json():
    with pytest.raises(FileNotFoundError, match=r'nowhere/train2018\.json'):
        DATASETS.build(
            dict(
                type='mmlt.INaturalist',
                data_root='nowhere',
                ann_file='train2018.json',
            )
        )


@pytest.mark.parametrize(
    'content', ['{"images": [', '[1, 2]', '{"images": [3]}', '3']
)
def test_damaged_json(build, content):
    with pytest.raises(ValueError, match=r'ann_file .*split\.json is damaged'):
        build(content)


def test_test_split_has_no_labels(build):
    content = competition(TRAIN)
    del content['annotations']
    with pytest.raises(ValueError, match=r"lacks the key 'annotations'.*test"):
        build(content)


def annotation_of_no_image(content):
    content['annotations'].append({'image_id': 99, 'category_id': 3})


def image_without_annotation(content):
    content['images'].append({'id': 98, 'file_name': 'x.jpg'})


def second_annotation(content):
    content['annotations'].append({'image_id': 12, 'category_id': 7})


def annotation_of_no_category(content):
    content['annotations'][0]['category_id'] = 4


@pytest.mark.parametrize(
    ('spoil', 'words'),
    [
        (annotation_of_no_image, r'1 annotations of images.*\[99\]'),
        (image_without_annotation, r'1 images without an annotation.*\[98\]'),
        (second_annotation, r'1 images with several annotations.*\[12\]'),
        (annotation_of_no_category, r'1 annotations of categories.*\[4\]'),
    ],
)
def test_inconsistent_json(build, spoil, words):
    content = competition(TRAIN)
    spoil(content)
    with pytest.raises(ValueError, match=words):
        build(content)
