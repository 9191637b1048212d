import json

import numpy as np
import pytest

from mmlt.analysis.per_class_ap import as_detections, class_ap, training_stats
from mmlt.class_stats import ClassStats
from mmlt.evaluation.lvis import load_annotations

BOX = {'image_id': 1, 'bbox': [10, 10, 40, 40]}
DETECTION = {**BOX, 'category_id': 9, 'score': 0.5}
DOG = {'id': 9, 'name': 'dog', 'frequency': 'r', 'image_count': 5}
CAT = {'id': 4, 'name': 'cat', 'frequency': 'f', 'image_count': 800}
BIRD = {'id': 6, 'name': 'bird', 'frequency': 'c', 'image_count': 20}


@pytest.fixture
def annotations(tmp_path):
    """One image with a dog and a cat; no bird anywhere."""
    image = {'id': 1, 'height': 100, 'width': 100, 'neg_category_ids': [6]}
    objects = [
        {'id': index, 'category_id': category, 'area': 1600, **BOX}
        for index, category in enumerate((9, 4), start=1)
    ]
    path = tmp_path / 'annotations.json'
    path.write_text(
        json.dumps(
            {
                'images': [{**image, 'not_exhaustive_category_ids': []}],
                'annotations': objects,
                'categories': [DOG, CAT, BIRD],
            }
        )
    )
    return load_annotations(path)


def test_ap_in_the_order_of_the_file(annotations):
    ap = class_ap(annotations, as_detections([DETECTION], 'bbox'), 'bbox')
    np.testing.assert_allclose(ap, [100, 0, np.nan])


def test_detections_of_another_image(annotations):
    detections = as_detections([{**DETECTION, 'image_id': 77}], 'bbox')
    with pytest.raises(ValueError, match='has no image 77'):
        class_ap(annotations, detections, 'bbox')


def test_no_detection_at_all(annotations):
    ap = class_ap(annotations, as_detections([], 'bbox'), 'bbox')
    np.testing.assert_allclose(ap, [0, 0, np.nan])


@pytest.mark.parametrize('entries', [[{'image_id': 1}], {'a': 1}, [1]])
def test_no_detections(entries):
    with pytest.raises(ValueError, match='Error: '):
        as_detections(entries, 'bbox')


def test_masks_are_asked_for():
    assert as_detections([DETECTION], 'bbox').masks is None
    with pytest.raises(ValueError, match='segmentation'):
        as_detections([DETECTION], 'segm')


def test_training_counts_of_the_file(annotations):
    stats = training_stats(annotations)
    assert stats.image_count.tolist() == [5, 800, 20]
    assert stats.classes == ('dog', 'cat', 'bird')


def test_given_statistics_win_and_must_fit(annotations):
    assert training_stats(annotations, [1, 2, 3]) == ClassStats.from_any(
        [1, 2, 3]
    )
    with pytest.raises(ValueError, match=r'2 classes, but .* 3 categories'):
        training_stats(annotations, [3, 2])


def test_a_file_without_training_counts(annotations):
    class Annotations:
        cats = {  # noqa: RUF012
            index: {'name': category['name']}
            for index, category in annotations.cats.items()
        }

    with pytest.raises(ValueError, match='no image_count; give --class-stats'):
        training_stats(Annotations)
