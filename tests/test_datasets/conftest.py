"""Tiny data sets in the formats in which the real ones are published."""

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
