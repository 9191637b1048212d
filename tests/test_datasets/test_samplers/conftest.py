import json

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS as MMDET_DATASETS
from mmengine.dataset import BaseDataset
from mmpretrain.registry import DATASETS as MMPRETRAIN_DATASETS

from mmlt.datasets.samplers import shared_stream


class LabelDataset(BaseDataset):
    """Single-label data without images."""

    def __init__(self, labels):
        self._labels = np.asarray(labels).tolist()
        super().__init__(serialize_data=False)

    def load_data_list(self):
        return [{'gt_label': label} for label in self._labels]


@pytest.fixture(scope='session')
def label_dataset():
    return LabelDataset


@pytest.fixture
def multi_label_dataset(tmp_path):
    """Six images; the last has no label, class 2 no image."""
    labels = [[0], [0, 1], [0, 1, 3], [3], [0], []]
    path = tmp_path / 'multi_label.json'
    content = {
        'metainfo': {'classes': ['a', 'b', 'c', 'd']},
        'data_list': [
            {'img_path': f'{index}.jpg', 'gt_label': row}
            for index, row in enumerate(labels)
        ],
    }
    path.write_text(json.dumps(content))
    return MMPRETRAIN_DATASETS.build(
        dict(type='mmpretrain.MultiLabelDataset', ann_file=str(path))
    )


@pytest.fixture
def detection_dataset(tmp_path):
    """Four images, 40 wide and 60 or 20 high.

    Image 0 holds class 0 three times, image 1 classes 0 and 2, image 2 class
    2 and a crowd of class 1, image 3 nothing.
    """
    boxes = [(0, 0, 0), (0, 0, 0), (0, 0, 0), (1, 0, 0), (1, 2, 0)]
    boxes += [(2, 2, 0), (2, 1, 1)]
    content = {
        'images': [
            {
                'id': index,
                'file_name': f'{index}.png',
                'width': 40,
                'height': 20 + 40 * (index % 2),
            }
            for index in range(4)
        ],
        'categories': [
            {'id': 10 + index, 'name': name}
            for index, name in enumerate('abc')
        ],
        'annotations': [
            {
                'id': index,
                'image_id': image,
                'category_id': 10 + label,
                'bbox': [2, 2, 10, 10],
                'area': 100,
                'iscrowd': crowd,
            }
            for index, (image, label, crowd) in enumerate(boxes)
        ],
    }
    (tmp_path / 'coco.json').write_text(json.dumps(content))
    for info in content['images']:
        cv2.imwrite(
            str(tmp_path / info['file_name']),
            np.zeros((info['height'], info['width'], 3), np.uint8),
        )
    return MMDET_DATASETS.build(
        dict(
            type='mmdet.CocoDataset',
            data_root=str(tmp_path),
            ann_file='coco.json',
            data_prefix=dict(img=''),
            metainfo=dict(classes=('a', 'b', 'c')),
            pipeline=[dict(type='mmdet.LoadImageFromFile')],
        )
    )


@pytest.fixture
def as_rank(monkeypatch):
    """Let samplers built from now on believe that they are one of many."""

    def set_rank(rank, world_size):
        for place in (
            shared_stream.__name__,
            'mmengine.dataset.sampler',
        ):
            monkeypatch.setattr(
                f'{place}.get_dist_info', lambda: (rank, world_size)
            )

    return set_rank
