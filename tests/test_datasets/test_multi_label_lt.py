import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmlt.class_stats import collect_class_stats
from mmlt.registry import DATASETS, METRICS

CONFIGS = Path(__file__).parents[2] / 'configs' / '_base_' / 'datasets'


@pytest.fixture
def coco(tmp_path, write_coco):
    """Images 1, 2, 3 with the classes 0, 0 + 2, none."""
    write_coco(tmp_path, 'train2017', [[0], [0, 2], []])
    write_coco(tmp_path, 'val2017', [[1], []])
    return tmp_path


@pytest.fixture
def voc(tmp_path, write_voc):
    """VOC 2012: a dog; a dog and a cat; only a difficult cat."""
    objects = {
        '2008_000002': [('dog', 0)],
        '2008_000003': [('dog', 0), ('cat', 0), ('cat', 1)],
        '2008_000007': [('cat', 1)],
    }
    write_voc(tmp_path / 'VOC2012', 'trainval', objects)
    write_voc(tmp_path / 'VOC2007', 'test', {'000001': [('person', 0)]})
    return tmp_path


def build_coco(root, **kwargs):
    return DATASETS.build(
        dict(
            type='mmlt.COCOMLT',
            data_root=str(root),
            ann_file='annotations/instances_train2017.json',
            data_prefix='train2017',
            serialize_data=False,
            **kwargs,
        )
    )


def build_voc(root, **kwargs):
    return DATASETS.build(
        dict(
            type='mmlt.VOCMLT',
            data_root=str(root / 'VOC2012'),
            serialize_data=False,
            **kwargs,
        )
    )


def labels_of(dataset):
    return [sorted(dataset.get_cat_ids(i)) for i in range(len(dataset))]


def test_coco(coco):
    assert labels_of(build_coco(coco)) == [[0], [0, 2], []]
    (coco / 'img_id.pkl').write_bytes(pickle.dumps(np.array([3, 2])))
    dataset = build_coco(coco, ids='img_id.pkl', lazy_init=True)
    assert labels_of(dataset) == [[0, 2], []]
    path = coco / 'train2017' / '000000000002.jpg'
    assert dataset.get_data_info(0)['img_path'] == str(path)
    assert labels_of(build_coco(coco, ids=[3, 1])) == [[0], []]
    stats = collect_class_stats(dataset)
    assert stats.image_count[:3].tolist() == [1, 0, 1]
    assert stats.num_images == 2
    assert stats.num_classes == 80


def test_voc(voc):
    # VOC's classes in the order of their names: cat 7, dog 11
    assert labels_of(build_voc(voc)) == [[11], [7, 11], []]
    (voc / 'VOC2012' / 'img_id.txt').write_text('2008_000003\n2008_000007\n')
    dataset = build_voc(voc, ids='img_id.txt', lazy_init=True)
    assert labels_of(dataset) == [[7, 11], []]
    assert dataset.get_data_info(1)['img_id'] == '2008_000007'
    stats = collect_class_stats(dataset)
    assert stats.image_count[[7, 11]].tolist() == [1, 1]
    assert stats.num_images == 2


def test_list_of_other_data(coco, voc):
    with pytest.raises(ValueError, match=r'ids: 1 of 2 .* 3 images.*\[4\]'):
        build_coco(coco, ids=[1, 4])
    with pytest.raises(ValueError, match=r"ids: 1 of 1 .*\['2007_000001'\]"):
        build_voc(voc, ids=['2007_000001'])
    with pytest.raises(TypeError, match='id_list'):
        build_voc(voc, id_list=[1])


def first_batch(loader):
    loader.update(num_workers=0, persistent_workers=False, pin_memory=False)
    loader = {'collate_fn': {'type': 'default_collate'}, **loader}
    return next(iter(Runner.build_dataloader(loader, seed=0)))


@pytest.mark.parametrize(
    ('name', 'num_classes', 'labels'),
    [
        ('coco_mlt', 80, ([[0], [0, 2]], [[1], []])),
        ('voc_mlt', 20, ([[11], [7, 11]], [[14]])),
        ('fashion_scenes_multi_label', 60, ([[0], [0, 2]], [[1], []])),
    ],
)
def test_configs(tmp_path, request, write_coco, name, num_classes, labels):
    if name == 'fashion_scenes_multi_label':
        for split, classes in zip(('train', 'val'), labels, strict=True):
            write_coco(tmp_path, split, classes, 'fashion_scenes', 60)
    else:
        request.getfixturevalue(name.split('_')[0])
        ids = [1, 2] if name == 'coco_mlt' else ['2008_000002', '2008_000003']
        for folder in (tmp_path, tmp_path / 'VOC2012'):
            folder.mkdir(exist_ok=True)
            (folder / f'{name}.json').write_text(json.dumps({'ids': ids}))
    config = Config.fromfile(CONFIGS / f'{name}.py')
    assert config.data_preprocessor.num_classes == num_classes
    assert config.data_preprocessor.to_onehot
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        for evaluator in (config.val_evaluator, config.test_evaluator):
            assert METRICS.build(evaluator).prefix == 'multi-label'
        for split in ('train', 'val', 'test'):
            loader = config[f'{split}_dataloader']
            root = loader.dataset.data_root
            assert root.startswith('data/')
            below = Path(*Path(root).parts[2:])
            loader.dataset.update(
                data_root=str(tmp_path / below), serialize_data=False
            )
            dataset = DATASETS.build(loader.dataset)
            assert labels_of(dataset) == labels[split != 'train']
            assert len(dataset.CLASSES) == num_classes
            # Two images are no full batch.
            batch = first_batch({**loader, 'drop_last': False})
            shapes = {tuple(image.shape) for image in batch['inputs']}
            assert shapes == {(3, 224, 224)}
            assert batch['inputs'][0].dtype == torch.uint8


def test_difficult_objects(voc):
    classes = build_voc(voc).CLASSES
    cat, dog = (classes.index(name) for name in ('cat', 'dog'))
    expected = [[dog], [cat, dog], [cat]]
    assert labels_of(build_voc(voc, ignore_difficult=False)) == expected
    assert labels_of(build_voc(voc)) == [*expected[:2], []]


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match='data_root: no folder'):
        build_voc(tmp_path)
    # A config is built without data.
    build_voc(tmp_path, lazy_init=True)
