import numpy as np
import pytest

from mmlt.datasets.samplers.class_images import ClassImages


def images_of(images, label):
    """All images that a class yields."""
    rng = np.random.default_rng(0)
    picked = images.pick(np.full(200, label), rng)
    return np.unique(picked).tolist()


def test_single_label(label_dataset):
    images = ClassImages(label_dataset([2, 0, 2, 4, 2]))
    assert images.counts.tolist() == [1, 0, 3, 0, 1]
    assert [images_of(images, label) for label in (0, 2, 4)] == [
        [1],
        [0, 2, 4],
        [3],
    ]


def test_multi_label(multi_label_dataset):
    images = ClassImages(multi_label_dataset)
    assert images.counts.tolist() == [4, 2, 0, 2]
    assert images_of(images, 0) == [0, 1, 2, 4]
    assert images_of(images, 1) == [1, 2]
    assert images_of(images, 3) == [2, 3]


def test_detection_counts_an_image_once_a_class(detection_dataset):
    images = ClassImages(detection_dataset)
    # Class 1 has a crowd only, which does not count.
    assert images.counts.tolist() == [2, 0, 2]
    assert images_of(images, 0) == [0, 1]
    assert images_of(images, 2) == [1, 2]


def test_pick_keeps_the_order_of_classes(label_dataset):
    labels = np.random.default_rng(0).integers(0, 9, 300)
    images = ClassImages(label_dataset(labels))
    classes = np.random.default_rng(1).integers(0, 9, 1000)
    picked = images.pick(classes, np.random.default_rng(2))
    assert (labels[picked] == classes).all()


@pytest.mark.parametrize('labels', [[[], [], []], []])
def test_no_labels(label_dataset, labels):
    match = f'none of the {len(labels)} images .* has a label'

    class Unlabelled(list):
        def get_data_info(self, index):
            return {'gt_label': self[index]}

    with pytest.raises(ValueError, match=match):
        ClassImages(Unlabelled(labels))
