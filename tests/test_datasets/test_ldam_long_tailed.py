# ruff: noqa: NPY002  (The global generator is what the published code uses.)

import numpy as np
import pytest
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS

from mmlt.class_stats.labels import collect_labels


@DATASETS.register_module(force=True)
class Shuffled(BaseDataset):
    """Twenty images of each of three classes, in mixed order."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def load_data_list(self):
        labels = np.random.default_rng(0).permutation(np.arange(60) % 3)
        return [{'gt_label': int(label)} for label in labels]


def build(**kwargs):
    config = dict(
        type='mmlt.LDAMLongTailedDataset', dataset=dict(type='Shuffled')
    )
    return DATASETS.build({**config, **kwargs})


def authors(targets, img_max, imb_factor, cls_num, seed):
    """As the published code goes about it."""
    np.random.seed(seed)
    img_num_per_cls = [
        int(img_max * imb_factor ** (cls_idx / (cls_num - 1.0)))
        for cls_idx in range(cls_num)
    ]
    new_data = []
    targets_np = np.array(targets, dtype=np.int64)
    for the_class, the_img_num in enumerate(img_num_per_cls):
        idx = np.where(targets_np == the_class)[0]
        np.random.shuffle(idx)
        new_data.extend(idx[:the_img_num])
    return sorted(new_data)


@pytest.mark.parametrize('seed', [0, 3])
def test_images_are_those_of_the_authors(seed):
    dataset = build(imbalance_factor=10, seed=seed)
    targets = collect_labels(dataset.dataset).labels
    expected = authors(targets, 20, 0.1, 3, seed)
    assert dataset.indices.tolist() == expected
    assert np.bincount(dataset.get_gt_labels()).tolist() == [20, 6, 2]


def test_known_subset_of_cifar_10():
    """Of 5000 images a class, whatever they are; ranks in the class."""
    rng = np.random.RandomState(0)
    first = np.arange(5000)
    rng.shuffle(first)
    assert first[:3].tolist() == [398, 3833, 4836]


def test_global_generator_is_left_alone():
    np.random.seed(1)
    expected = np.random.rand()
    np.random.seed(1)
    build(counts=[5, 5, 5])
    assert np.random.rand() == expected


def test_arguments_are_checked():
    with pytest.raises(ValueError, match='imbalance_factor'):
        build(imbalance_factor=100)
    assert np.bincount(build(counts=[1, 0, 2]).get_gt_labels()).tolist() == [
        1, 0, 2
    ]  # fmt: skip
