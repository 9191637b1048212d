"""tools/dataset_converters/fashion_scenes{,_features}.py."""

import json
import sys

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from pycocotools import mask as mask_utils

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.sizes import (
    collect_size_stats,
    count_sizes,
    read_coco_labels,
)
from mmlt.datasets.categories import FASHION_SCENES_CATEGORIES


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('dataset_converters/fashion_scenes.py')


@pytest.fixture(scope='module')
def source(tmp_path_factory, write_idx):
    folder = tmp_path_factory.mktemp('fashion_mnist')
    for split in ('train', 'test'):
        write_idx(folder, split, np.arange(40) % 10)
    return folder


ARGUMENTS = ['--num-train', '40', '--num-val', '20', '--least-val', '1']
ARGUMENTS += ['--canvas', '128', '--sizes', '10', '20']


@pytest.fixture(scope='module')
def scenes(tool, source, tmp_path_factory):
    out = tmp_path_factory.mktemp('fashion_scenes')
    tool.main(['--source', str(source), '--out', str(out), *ARGUMENTS])
    return out


def load(folder, split):
    path = folder / f'annotations/fashion_scenes_{split}.json'
    return json.loads(path.read_text())


def lvis_dataset(folder, split, **kwargs):
    return DATASETS.build(
        dict(
            type='mmdet.LVISV1Dataset',
            data_root=str(folder),
            ann_file=f'annotations/fashion_scenes_{split}.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=FASHION_SCENES_CATEGORIES),
            **kwargs,
        )
    )


def garment(rng):
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 7:21] = rng.integers(60, 256, (20, 14))
    return image


def test_published_scenes_have_three_groups(tool):
    rng = np.random.default_rng([0, 0])
    counts = tool.train_counts(12_000, 650, rng)
    frequent = counts > 100
    scenes = tool.deal(counts, frequent, 2000, rng)
    dealt = np.bincount(np.concatenate(scenes), minlength=60)
    np.testing.assert_array_equal(dealt, counts)
    images = np.bincount(
        np.concatenate([np.unique(scene) for scene in scenes]), minlength=60
    )
    groups = np.bincount(np.digitize(images, [10, 100], right=True))
    assert (groups >= 15).all()
    assert images.min() >= 1
    # Whatever is rare lies beside something frequent.
    assert all(frequent[scene].any() for scene in scenes)
    assert min(map(len, scenes)) >= 3
    val = tool.val_counts(counts, 3000, 20)
    assert val.min() >= 10
    assert 2900 < val.sum() <= 3000
    assert (np.diff(val[np.argsort(counts)]) >= 0).all()


def test_occlusion_and_sizes(tool):
    rng = np.random.default_rng(0)
    style = tool.SceneStyle(canvas=100, sizes=(20, 40), occlusion=0.3)
    alone = tool.SceneStyle(100, (40, 40), 0.0)
    for _ in range(20):
        image, owner = tool.compose(
            [garment(rng)] * 8, [(200, 50, 50)] * 8, style, rng
        )
        assert image.shape == (100, 100, 3)
        assert image.dtype == np.uint8
        visible = np.bincount(owner[owner >= 0], minlength=8)
        # At 20 pixels or more, 30 % covered at most: 14 x 20 each.
        assert visible.min() >= 0.9 * 0.7 * 14 * 20
        assert visible.max() <= 1.1 * 28 * 40
    _, owner = tool.compose([garment(rng)], [(200, 50, 50)], alone, rng)
    assert abs((owner == 0).sum() - 28 * 40) < 0.1 * 28 * 40


def test_colour_and_background(tool):
    rng = np.random.default_rng(0)
    style = tool.SceneStyle(canvas=100, sizes=(60, 60), rotation=0)
    image, owner = tool.compose([garment(rng)], [(200, 40, 40)], style, rng)
    red, green, blue = image[owner == 0].mean(0)
    assert red > 3 * green
    assert red > 3 * blue
    assert image[owner < 0].std() > 10


def test_crowded_canvas(tool):
    rng = np.random.default_rng(0)
    style = tool.SceneStyle(canvas=100, sizes=(70, 75), occlusion=0.0)
    with pytest.raises(RuntimeError, match='no room for 12 garments'):
        tool.compose([garment(rng)] * 12, [(0, 0, 0)] * 12, style, rng)


def test_crowds_of_small_garments(tool, source, tmp_path, scenes):
    paths = ['--source', str(source), '--out', str(tmp_path)]
    style = ['--canvas', '128', '--garments', '3', '--sizes', '30', '50']
    crowds = ['--crowds', '0.1', '--crowd-times', '5']
    crowds += ['--crowd-sizes', '8', '20']
    number = ['--num-train', '40', '--num-val', '20', '--least-val', '1']
    tool.main([*paths, *style, *crowds, *number, '--no-masks'])
    content = load(tmp_path, 'train')
    assert content['info']['arguments']['crowds'] == 0.1
    assert 'crowds' not in load(scenes, 'train')['info']['arguments']
    sides = {image['id']: [] for image in content['images']}
    for entry in content['annotations']:
        sides[entry['image_id']].append(max(entry['bbox'][2:]))
    sides = list(sides.values())
    # Four of forty scenes have those of five each, 3 on average.
    assert sum(map(len, sides[:4])) > 0.7 * 4 * 5 * 3
    assert max(map(max, sides[:4])) < 20 * 1.3
    # Others cover a part of a garment.
    assert np.median(np.concatenate(sides[4:])) > 30


def test_bad_crowds(tool):
    with pytest.raises(ValueError, match=r'crowds must be .* got 1.5'):
        tool.main(['--crowds', '1.5'])
    with pytest.raises(ValueError, match='crowd-times must be >= 1, got 0'):
        tool.main(['--crowds', '0.5', '--crowd-times', '0'])


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(sizes=(70, 20)), 'sizes must rise'),
        (dict(sizes=(20, 150)), '3/4 of canvas=160'),
        (dict(occlusion=1.0), r'occlusion must be in \[0, 1\)'),
    ],
)
def test_bad_style(tool, kwargs, match):
    with pytest.raises(ValueError, match=match):
        tool.SceneStyle(**kwargs)


def test_too_few_val_scenes(tool):
    with pytest.raises(ValueError, match='100 val instances are too few'):
        tool.val_counts(np.full(60, 5), 100, 10)


@pytest.mark.parametrize('split', ['train', 'val'])
def test_annotations_are_those_of_lvis(scenes, split):
    content = load(scenes, split)
    assert [entry['name'] for entry in content['categories']] == list(
        FASHION_SCENES_CATEGORIES
    )
    by_image = {image['id']: set() for image in content['images']}
    for entry in content['annotations']:
        by_image[entry['image_id']].add(entry['category_id'])
        rle = entry['segmentation']
        assert entry['area'] == mask_utils.area(rle) > 0
        assert entry['bbox'] == mask_utils.toBbox(rle).tolist()
    for image in content['images']:
        positive, negative = by_image[image['id']], image['neg_category_ids']
        assert positive
        assert not positive & set(negative)
        assert len(positive) + len(negative) == 60
        assert image['not_exhaustive_category_ids'] == []
        assert cv2.imread(str(scenes / image['file_name'])).shape == (
            128,
            128,
            3,
        )


def test_counts_are_those_of_training(scenes):
    train, val = load(scenes, 'train'), load(scenes, 'val')
    assert train['categories'] == val['categories']
    instances = np.bincount(
        [entry['category_id'] - 1 for entry in train['annotations']],
        minlength=60,
    )
    images = np.bincount(
        [
            category - 1
            for _, category in {
                (entry['image_id'], entry['category_id'])
                for entry in train['annotations']
            }
        ],
        minlength=60,
    )
    for k, category in enumerate(train['categories']):
        assert category['instance_count'] == instances[k]
        assert category['image_count'] == images[k]
        group = 'r' if images[k] <= 10 else 'c' if images[k] <= 100 else 'f'
        assert category['frequency'] == group
    in_val = {entry['category_id'] for entry in val['annotations']}
    assert len(in_val) == 60
    ids = [{image['id'] for image in part['images']} for part in (train, val)]
    assert not ids[0] & ids[1]


def test_sizes_are_those_of_its_boxes(scenes):
    content = load(scenes, 'train')
    bounds = (150, 300)
    expected = np.zeros((60, 3), dtype=int)
    for entry in content['annotations']:
        area = entry['bbox'][2] * entry['bbox'][3]
        size = sum(area >= bound for bound in bounds)
        expected[entry['category_id'] - 1, size] += 1
    stats = collect_size_stats(lvis_dataset(scenes, 'train'), bounds)
    assert (stats.box_share > 0.1).all()
    assert stats.box_count.tolist() == expected.tolist()
    path = scenes / 'annotations/fashion_scenes_train.json'
    stats = count_sizes(read_coco_labels(path)[0], 60, bounds)
    assert stats.box_count.tolist() == expected.tolist()


def test_mmdet_loads_it(scenes):
    pipeline = [
        dict(type='mmdet.LoadImageFromFile'),
        dict(type='mmdet.LoadAnnotations', with_bbox=True, with_mask=True),
    ]
    dataset = lvis_dataset(scenes, 'train', pipeline=pipeline)
    content = load(scenes, 'train')
    stats = collect_class_stats(dataset)
    assert stats.num_images == 40
    assert stats.image_count.tolist() == [
        entry['image_count'] for entry in content['categories']
    ]
    assert stats.instance_count.tolist() == [
        entry['instance_count'] for entry in content['categories']
    ]
    item = dataset[0]
    assert item['img'].shape == (128, 128, 3)
    own = [
        entry
        for entry in content['annotations']
        if entry['image_id'] == content['images'][0]['id']
    ]
    assert item['gt_masks'].masks.sum((1, 2)).tolist() == [
        entry['area'] for entry in own
    ]
    assert item['gt_bboxes_labels'].tolist() == [
        entry['category_id'] - 1 for entry in own
    ]


def test_same_seed_same_files(tool, source, scenes, tmp_path):
    def files(folder):
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob('*.*')
        }

    same, other = tmp_path / 'same', tmp_path / 'other'
    for out, seed in ((same, '0'), (other, '1')):
        paths = ['--source', str(source), '--out', str(out)]
        tool.main([*paths, *ARGUMENTS, '--seed', seed])
    expected = files(scenes)
    assert len(expected) == 62
    assert files(same) == expected
    assert files(other) != expected


def test_splits_take_their_own_garments(tool, tmp_path, write_idx):
    write_idx(tmp_path, 'train', np.arange(40) % 10)
    write_idx(tmp_path, 'test', np.arange(60) % 10)
    for split, number in (('train', 4), ('val', 6)):
        kinds = tool.read_garments(tmp_path, split)
        assert [len(kind) for kind in kinds] == [number] * 10


def test_missing_source(tool, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'fashion_mnist\.py --out'):
        tool.main(['--source', str(tmp_path), '--out', str(tmp_path)])


def test_damaged_source(tool, tmp_path, write_idx):
    write_idx(tmp_path, 'train', np.arange(40) % 10)
    path = tmp_path / 'train-images-idx3-ubyte'
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match='do not fit'):
        tool.main(['--source', str(tmp_path), '--out', str(tmp_path)])


def test_features_are_those_of_the_named_scenes(
    load_tool, scenes, monkeypatch
):
    features = load_tool('dataset_converters/fashion_scenes_features.py')
    # The network is not shipped; the pixels serve as its maps.
    monkeypatch.setattr(features, 'load_lite0', lambda: lambda x: x)
    features.main(['--data', str(scenes), '--batch-size', '7'])
    for split, number in (('train', 40), ('val', 20)):
        with np.load(scenes / f'features_{split}.npz') as content:
            assert content['features'].shape == (number, 3)
            name = content['names'][-1]
            image = cv2.imread(str(scenes / split / name))[..., ::-1]
            expected = (
                image.mean(axis=(0, 1)) - features.MEAN.numpy()
            ) / features.STD.numpy()
            np.testing.assert_allclose(
                content['features'][-1], expected, atol=0.01
            )


@pytest.mark.parametrize('text', ['{"images": [', '{}', '[]'])
def test_features_of_a_damaged_json(load_tool, tmp_path, monkeypatch, text):
    features = load_tool('dataset_converters/fashion_scenes_features.py')
    monkeypatch.setattr(features, 'load_lite0', lambda: lambda x: x)
    path = tmp_path / 'annotations' / 'fashion_scenes_train.json'
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(ValueError, match=r'scenes_train\.json is damaged'):
        features.main(['--data', str(tmp_path)])


def test_masks_need_pycocotools(tool, source, scenes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pycocotools.mask', None)
    paths = ['--source', str(source), '--out', str(tmp_path)]
    with pytest.raises(ModuleNotFoundError, match='--no-masks leaves'):
        tool.main([*paths, *ARGUMENTS])
    tool.main([*paths, *ARGUMENTS, '--no-masks'])
    for split in ('train', 'val'):
        expected = load(scenes, split)
        for entry in expected['annotations']:
            del entry['segmentation']
        assert load(tmp_path, split) == expected
