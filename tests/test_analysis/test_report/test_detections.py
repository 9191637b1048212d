import json

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmlt.analysis.per_class_ap import as_detections
from mmlt.analysis.report.detections import (
    describe_detections,
    overlap,
    taken_for,
)
from mmlt.class_stats import ClassStats

STATS = ClassStats([9, 2], [9, 2], classes=['bee', 'ant'])
GROUP = np.array([1, 0])
NAMES = ('few', 'many')


def box(image, category, bbox, **more):
    return dict(image_id=image, category_id=category, bbox=bbox, **more)


OBJECTS = [
    box(1, 3, [0, 0, 10, 10]),
    box(1, 7, [50, 50, 10, 10]),
    box(2, 3, [0, 0, 10, 10]),
    box(2, 7, [30, 30, 20, 20], iscrowd=1),
]
FOUND = [
    box(1, 3, [0, 0, 10, 9], score=0.5),
    box(1, 7, [0, 0, 10, 9], score=0.4),
    box(1, 3, [50, 50, 10, 10], score=0.9),
    box(1, 7, [51, 50, 10, 10], score=0.3),
    box(2, 3, [0, 5, 10, 10], score=0.9),  # overlaps by a third
]


@pytest.fixture(params=['coco', 'lvis'])
def files(tmp_path, request):
    images = [dict(id=k, width=99, height=99) for k in (1, 2)]
    cats = [dict(id=7, name='ant'), dict(id=3, name='bee')]
    objects = [
        dict(
            each,
            id=k,
            area=each['bbox'][2] * each['bbox'][3],
            iscrowd=each.get('iscrowd', 0),
            segmentation=[],
        )
        for k, each in enumerate(OBJECTS, 1)
    ]
    if request.param == 'lvis':
        objects = objects[:3]
        for image, absent in zip(images, ([], [7]), strict=True):
            image.update(
                neg_category_ids=absent, not_exhaustive_category_ids=[]
            )
        for cat in cats:
            cat.update(frequency='f')
    truth, found = tmp_path / 'truth.json', tmp_path / 'x.bbox.json'
    truth.write_text(
        json.dumps(dict(images=images, categories=cats, annotations=objects))
    )
    found.write_text(json.dumps(FOUND))
    return truth, found


def test_ap_and_what_objects_are_taken_for(files):
    truth, found = files
    facts = describe_detections(found, str(truth), STATS, GROUP, NAMES)
    bee, ant = facts['scores']
    # The bee is found at an overlap of 0.9, after a wrong box; the ant at
    # 9 / 11, that is up to the threshold 0.8, seven of ten.
    assert ant > 30
    assert 0 < bee < ant
    assert facts['summary']['few'] == ant
    assert facts['confusion'] == dict(
        rows=['many', 'few'],
        columns=['right', 'many', 'few', 'none'],
        percent=[[50, 0, 0, 50], [0, 100, 0, 0]],
    )
    # Right are the first bee, by 0.9, and the second ant, by 9 / 11.
    calibration = facts['calibration']
    assert list(calibration) == ['all', 'many', 'few']
    gap = abs(0.9) * 2 + abs(1 - 0.5)
    assert calibration['many']['ece'] == pytest.approx(100 * gap / 3)
    few = 0.7 + 0.4
    assert calibration['few']['ece'] == pytest.approx(100 * few / 2)
    assert calibration['all']['ece'] == pytest.approx(100 * (gap + few) / 5)
    assert sum(calibration['all']['count']) == 5
    assert np.nansum(calibration['few']['accuracy']) == 1
    (pair,) = facts['pairs']
    assert (pair['class'], pair['taken_for']) == ('ant', 'bee')


def test_a_group_without_detections(files):
    truth, found = files
    found.write_text(json.dumps(FOUND[:1]))
    facts = describe_detections(
        found, str(truth), STATS, np.array([2, 0]), ('few', 'no', 'many')
    )
    for name in ('few', 'no'):
        assert np.isnan(facts['calibration'][name]['ece'])
        assert not any(facts['calibration'][name]['count'])
    assert facts['calibration']['many']['ece'] == pytest.approx(50)


def test_best_detection_of_each_object():
    found, true = taken_for(OBJECTS, as_detections(FOUND, 'bbox'))
    assert true.tolist() == [3, 7, 3]
    assert found.tolist() == [3, 3, -1]


def test_overlap_by_hand():
    first = np.array([[0, 0, 10, 10], [0, 0, 1, 1]])
    second = np.array([[0, 5, 10, 10], [20, 20, 1, 1], [0, 0, 10, 10]])
    np.testing.assert_allclose(
        overlap(first, second), [[1 / 3, 0, 1], [0, 0, 0.01]]
    )


def test_files_that_do_not_fit(files, tmp_path):
    truth, found = files
    call = (STATS, GROUP, NAMES)
    with pytest.raises(FileNotFoundError, match="ann_file: no file 'no'"):
        describe_detections(found, 'no', *call)
    other = ClassStats([9, 2], [9, 2], classes=['bee', 'cow'])
    with pytest.raises(ValueError, match='other class names'):
        describe_detections(found, str(truth), other, GROUP, NAMES)
    found.write_text(json.dumps([dict(FOUND[0], category_id=5)]))
    with pytest.raises(ValueError, match='detections of the category 5'):
        describe_detections(found, str(truth), *call)
    found.write_text(json.dumps([dict(FOUND[0], image_id=5)]))
    with pytest.raises(ValueError, match='detections of the image 5'):
        describe_detections(found, str(truth), *call)
    for content in ('{}', '[]', '[{}]', '['):
        found.write_text(content)
        with pytest.raises(ValueError, match='holds no detections'):
            describe_detections(found, str(truth), *call)
