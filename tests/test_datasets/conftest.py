"""Tiny data sets in the formats in which the real ones are published."""

import json
import pickle

import cv2
import numpy as np
import pytest


def _write_cifar(folder, splits, label_key):
    """Pickled batches of 32 x 32 RGB images; splits: file name -> labels."""
    folder.mkdir(parents=True)
    for name, labels in splits.items():
        images = np.zeros((len(labels), 3 * 32 * 32), dtype=np.uint8)
        images[:, 0] = labels
        content = {'data': images, label_key: [int(x) for x in labels]}
        (folder / name).write_bytes(pickle.dumps(content))


def _write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.random.default_rng(0).integers(
        0, 256, (40, 60, 3), dtype=np.uint8
    )
    cv2.imwrite(str(path), image)


def _write_coco(
    root, split, labels_of_image, stem='instances', num_classes=80
):
    """COCO's json and images 1, 2, ...; category ids are 11, 12, ..."""
    files = [f'{k:012}.jpg' for k in range(1, len(labels_of_image) + 1)]
    folder = '' if split.endswith('2017') else f'{split}/'
    content = {
        'images': [
            {'id': k, 'file_name': folder + file}
            for k, file in enumerate(files, 1)
        ],
        'annotations': [
            {'image_id': k, 'category_id': label + 11, 'iscrowd': 0}
            for k, labels in enumerate(labels_of_image, 1)
            for label in labels
        ],
        'categories': [
            {'id': k + 11, 'name': f'class {k}'} for k in range(num_classes)
        ],
    }
    path = root / 'annotations' / f'{stem}_{split}.json'
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    for file in files:
        _write_image(root / split / file)


def _write_voc(root, split, objects_of_image):
    """One year of VOC; objects are (name, difficult)."""
    lists = root / 'ImageSets' / 'Main'
    lists.mkdir(parents=True)
    (lists / f'{split}.txt').write_text('\n'.join(objects_of_image) + '\n')
    (root / 'Annotations').mkdir()
    for image, objects in objects_of_image.items():
        parts = ''.join(
            f'<object><name>{name}</name><difficult>{difficult}</difficult>'
            '<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax>'
            '<ymax>9</ymax></bndbox></object>'
            for name, difficult in objects
        )
        (root / 'Annotations' / f'{image}.xml').write_text(
            f'<annotation><filename>{image}.jpg</filename>{parts}</annotation>'
        )
        _write_image(root / 'JPEGImages' / f'{image}.jpg')


@pytest.fixture(scope='session')
def write_coco():
    return _write_coco


@pytest.fixture(scope='session')
def write_voc():
    return _write_voc


@pytest.fixture(scope='session')
def write_cifar():
    return _write_cifar


@pytest.fixture(scope='session')
def write_image():
    return _write_image


@pytest.fixture
def list_dataset(tmp_path):
    """Make the config of a data set given by a list of 'path label'."""

    def make(labels, serialize_data=False, **kwargs):
        lines = [f'{index}.png {label}' for index, label in enumerate(labels)]
        (tmp_path / 'list.txt').write_text('\n'.join(lines))
        return dict(
            type='mmpretrain.CustomDataset',
            data_root=str(tmp_path),
            ann_file='list.txt',
            serialize_data=serialize_data,
            **kwargs,
        )

    return make
