"""Every config of ``_base_/datasets`` on a data set in the real format."""

import json
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmlt.class_stats import collect_class_stats
from mmlt.datasets.long_tailed import exponential_counts
from mmlt.registry import DATASETS, METRICS

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'
# tests/test_configs.py has those for detectors
NAMES = sorted(
    path.stem
    for path in CONFIGS.glob('*.py')
    if not path.stem.endswith(('_detection', '_instance'))
)
FACTORS = (10, 50, 100, 200)


@pytest.fixture(autouse=True)
def _scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


def read(name, root):
    """The config with ``data_root`` moved, and no loader processes."""
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for split in ('train', 'val', 'test'):
        loader = config[f'{split}_dataloader']
        assert loader.batch_size in (128, 256)
        loader.update(num_workers=0, persistent_workers=False, batch_size=4)
        dataset = loader.dataset
        dataset = dataset.get('dataset', dataset)
        assert dataset.data_root.startswith('data/')
        # serialising runs the garbage collector, which is slow in tests
        dataset.update(data_root=str(root), serialize_data=False)
    return config


def labels_of(config):
    dataset = DATASETS.build(config.dataset)
    return [dataset.get_cat_ids(i)[0] for i in range(len(dataset))]


def first_batch(loader):
    # The tools add it to every loader of MMPretrain.
    loader = {'collate_fn': {'type': 'default_collate'}, **loader}
    loader = Runner.build_dataloader(loader, seed=0)
    return next(iter(loader))['inputs']


def test_every_config_is_tested_here():
    names = {
        f'{data}_lt_if{factor}'
        for data in ('fashion_mnist', 'cifar10', 'cifar100')
        for factor in FACTORS
    }
    names |= {'imagenet_lt', 'places_lt', 'folder'}
    names |= {'inaturalist2017', 'inaturalist2018'}
    # test_multi_label_lt.py has these
    names |= {'coco_mlt', 'voc_mlt', 'fashion_scenes_multi_label'}
    names |= {'fashion_scenes_features', 'fashion_scenes_maps'}
    names |= {'caltech101', 'caltech101_features', 'cifar10_jpeg_lt_if100'}
    names |= {'cifar10_jpeg_lt_if100_features'}
    assert set(NAMES) == names


@pytest.mark.parametrize('name', NAMES)
def test_metrics_and_preprocessor_build(name):
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        assert METRICS.build(evaluator).prefix is not None
    if name.endswith(('_features', '_maps')):
        assert 'mean' not in config.data_preprocessor
        return
    mean, std = config.data_preprocessor.mean, config.data_preprocessor.std
    channels = 1 if name.startswith('fashion_mnist') else 3
    assert len(mean) == len(std) == channels


@pytest.mark.parametrize('name', NAMES)
def test_two_classes_are_enough(name):
    """A child may read other data: no metric needs more classes."""
    config = Config.fromfile(CONFIGS / f'{name}.py')
    for evaluator in (config.val_evaluator, config.test_evaluator):
        metric = METRICS.build(evaluator)
        assert getattr(metric, 'topk', (1,)) == (1,)


def test_fashion_scenes_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = Config.fromfile(CONFIGS / 'fashion_scenes_features.py')
    root = tmp_path / config.data_root
    (root / 'annotations').mkdir(parents=True)
    for split in ('train', 'val'):
        names = [f'{split}/{k}.jpg' for k in range(3)]
        content = {
            'images': [
                {'id': k, 'file_name': name} for k, name in enumerate(names)
            ],
            'annotations': [{'image_id': 0, 'category_id': 2}],
            'categories': [{'id': 1, 'name': 'a'}, {'id': 2, 'name': 'b'}],
        }
        path = root / f'annotations/fashion_scenes_{split}.json'
        path.write_text(json.dumps(content))
        np.savez(
            root / f'features_{split}.npz',
            names=np.array([Path(name).name for name in names]),
            features=np.arange(12).reshape(3, 4),
        )
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.update(batch_size=3, persistent_workers=False)
        inputs = first_batch(loader)
        assert inputs.shape == (3, 4)
        assert sorted(inputs[:, 0].tolist()) == [0, 4, 8]


@pytest.mark.parametrize(
    ('name', 'folder', 'size'),
    [
        ('caltech101', 'caltech101', 224),
        ('cifar10_jpeg_lt_if100', 'cifar10_jpeg', 32),
    ],
)
def test_folder_of_each_class(
    tmp_path, monkeypatch, write_image, name, folder, size
):
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'data' / folder
    for image in ('train/b/1', 'train/a/1', 'train/a/2', 'test/b/9'):
        write_image(root / f'{image}.jpg')
    (root / 'test' / 'a').mkdir()
    config = Config.fromfile(CONFIGS / f'{name}.py')
    dataset = config.train_dataloader.dataset
    if 'imbalance_factor' in dataset:
        config.train_dataloader.dataset = dataset.dataset
    assert labels_of(config.train_dataloader) == [0, 0, 1]
    assert labels_of(config.val_dataloader) == [1]
    assert labels_of(config.test_dataloader) == [1]
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
    assert first_batch(config.train_dataloader).shape == (3, 3, size, size)
    assert first_batch(config.test_dataloader).shape[:2] == (1, 3)


def test_groups_of_caltech101_hold_classes():
    """Of its 534 to 21 training images."""
    config = Config.fromfile(CONFIGS / 'caltech101.py')
    metric = METRICS.build({**config.val_evaluator, 'class_stats': [534, 21]})
    assert metric.groups.tolist() == [2, 0]
    assert config.data_preprocessor.num_classes == 101


@pytest.mark.parametrize('factor', FACTORS)
def test_fashion_mnist(tmp_path, write_idx, factor):
    write_idx(tmp_path, 'train', np.tile(np.arange(10), factor))
    write_idx(tmp_path, 'test', [3, 1, 4, 1, 5])
    config = read(f'fashion_mnist_lt_if{factor}', tmp_path)
    train = DATASETS.build(config.train_dataloader.dataset)
    counts = exponential_counts(factor, factor, 10)
    np.testing.assert_array_equal(
        collect_class_stats(train).image_count, counts
    )
    assert len(train.metainfo['classes']) == 10
    assert labels_of(config.val_dataloader) == [3, 1, 4, 1, 5]
    assert labels_of(config.test_dataloader) == [3, 1, 4, 1, 5]
    inputs = first_batch(config.train_dataloader)
    assert inputs.shape == (4, 1, 28, 28)
    assert inputs.dtype == torch.uint8
    assert first_batch(config.test_dataloader).shape == (4, 1, 28, 28)


@pytest.mark.parametrize('factor', FACTORS)
@pytest.mark.parametrize(
    ('num_classes', 'folder', 'label_key', 'train_files', 'test_file'),
    [
        (
            10,
            'cifar-10-batches-py',
            'labels',
            [f'data_batch_{i}' for i in range(1, 6)],
            'test_batch',
        ),
        (100, 'cifar-100-python', 'fine_labels', ['train'], 'test'),
    ],
)
def test_cifar(
    tmp_path,
    monkeypatch,
    write_cifar,
    factor,
    num_classes,
    folder,
    label_key,
    train_files,
    test_file,
):
    images = factor if num_classes == 10 else 10
    labels = np.tile(np.arange(num_classes), images)
    batches = zip(
        train_files, np.array_split(labels, len(train_files)), strict=True
    )
    write_cifar(
        tmp_path / folder, {**dict(batches), test_file: [3, 1]}, label_key
    )
    dataset_class = getattr(mmpretrain.datasets, f'CIFAR{num_classes}')
    for files in ('train_list', 'test_list'):
        names = [[name, None] for name, _ in getattr(dataset_class, files)]
        monkeypatch.setattr(dataset_class, files, names)

    config = read(f'cifar{num_classes}_lt_if{factor}', tmp_path)
    assert config.data_preprocessor.num_classes == num_classes
    assert config.train_dataloader.dataset.imbalance_factor == factor
    if images < factor:
        # 200 images of 100 classes take long
        config.train_dataloader.dataset.imbalance_factor = images
    train = DATASETS.build(config.train_dataloader.dataset)
    np.testing.assert_array_equal(
        collect_class_stats(train).image_count,
        exponential_counts(images, images, num_classes),
    )
    assert labels_of(config.val_dataloader) == [3, 1]
    assert labels_of(config.test_dataloader) == [3, 1]
    assert first_batch(config.train_dataloader).shape == (4, 3, 32, 32)
    assert first_batch(config.test_dataloader).shape == (2, 3, 32, 32)


@pytest.mark.parametrize(
    ('name', 'prefix', 'num_classes', 'paths'),
    [
        (
            'imagenet_lt',
            'ImageNet_LT',
            1000,
            {
                'train': 'train/n01440764/n01440764_190.JPEG',
                'val': 'train/n01440764/n01440764_191.JPEG',
                'test': 'val/n01440764/ILSVRC2012_val_00000293.JPEG',
            },
        ),
        (
            'places_lt',
            'Places_LT',
            365,
            {
                'train': 'data_256/a/airfield/00001.jpg',
                'val': 'data_256/b/beach/00002.jpg',
                'test': 'val_256/Places365_val_00000003.jpg',
            },
        ),
    ],
)
def test_lists_of_image_files(
    tmp_path, write_image, name, prefix, num_classes, paths
):
    (tmp_path / 'meta').mkdir()
    for label, (split, path) in enumerate(paths.items()):
        write_image(tmp_path / path)
        lines = f'{path} {label}\n{path} {num_classes - 1}\n'
        (tmp_path / 'meta' / f'{prefix}_{split}.txt').write_text(lines)
    config = read(name, tmp_path)
    assert config.data_preprocessor.num_classes == num_classes
    for label, split in enumerate(paths):
        loader = config[f'{split}_dataloader']
        assert labels_of(loader) == [label, num_classes - 1]
        assert first_batch(loader).shape == (2, 3, 224, 224)


@pytest.mark.parametrize(
    ('year', 'num_classes', 'path'),
    [
        (2017, 5089, 'train_val_images/Aves/Corvus corax/1.jpg'),
        (2018, 8142, 'train_val2018/Aves/3021/1.jpg'),
    ],
)
def test_inaturalist(tmp_path, write_image, year, num_classes, path):
    write_image(tmp_path / path)
    categories = [{'id': i, 'name': str(i)} for i in range(num_classes)]
    for split, label in (('train', 17), ('val', 4)):
        content = {
            'images': [{'id': 1, 'file_name': path}],
            'annotations': [{'image_id': 1, 'category_id': label}],
            'categories': categories,
        }
        (tmp_path / f'{split}{year}.json').write_text(json.dumps(content))
    config = read(f'inaturalist{year}', tmp_path)
    assert config.data_preprocessor.num_classes == num_classes
    train = DATASETS.build(config.train_dataloader.dataset)
    assert len(train.metainfo['classes']) == num_classes
    assert labels_of(config.train_dataloader) == [17]
    assert labels_of(config.val_dataloader) == [4]
    assert labels_of(config.test_dataloader) == [4]
    for split in ('train', 'test'):
        inputs = first_batch(config[f'{split}_dataloader'])
        assert inputs.shape == (1, 3, 224, 224)


def test_folder_per_class_as_in_the_docs(tmp_path, write_image, monkeypatch):
    docs = Path(__file__).parents[2] / 'docs' / 'datasets.md'
    code = next(
        block
        for block in docs.read_text(encoding='utf-8').split('```python\n')
        if block.startswith('_base_')
    ).split('```')[0]
    monkeypatch.chdir(tmp_path)
    root = tmp_path / 'data' / 'mine'
    code = code.replace("'../_base_/datasets", f"'{CONFIGS.as_posix()}")
    path = tmp_path / 'config.py'
    path.write_text(code)
    for image in ('train/ant/1', 'train/ant/2', 'train/bee/1', 'val/bee/1'):
        write_image(root / f'{image}.png')
    (root / 'val' / 'ant').mkdir()
    config = Config.fromfile(path)
    assert labels_of(config.train_dataloader) == [0, 0, 1]
    assert labels_of(config.test_dataloader) == [1]
    config.train_dataloader.update(num_workers=0, persistent_workers=False)
    assert first_batch(config.train_dataloader).shape == (3, 3, 224, 224)
