import json

import numpy as np
import pytest
import torch
from mmdet.evaluation import CocoMetric
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import ShotCocoMetric

SIZE = 200
CLASSES = ('a', 'b', 'c', 'd')
STATS = ClassStats([500, 60, 8, 3], [900, 80, 8, 3], 560, CLASSES)
IDS = [7, 3, 12, 5]  # by label: in the order of the file


def mask_of(box):
    mask = np.zeros((SIZE, SIZE), np.uint8, order='F')
    x, y, w, h = np.asarray(box).astype(int)
    mask[y : y + h, x : x + w] = 1
    mask[y : y + h // 3, x : x + w // 2] = 0
    return mask


def random_boxes(rng, number):
    size = rng.uniform(4, 150, (number, 2))
    corner = rng.random((number, 2)) * (SIZE - size)
    return np.concatenate([corner, size], 1)


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """An annotation file with crowds, and predictions near its objects."""
    rng = np.random.default_rng(0)
    annotations, samples = [], []
    for image in range(6):
        boxes, labels = random_boxes(rng, 9), rng.integers(0, 3, 9)
        for box, label in zip(boxes, labels, strict=True):
            rle = mask_utils.encode(mask_of(box))
            annotations.append(
                dict(
                    id=len(annotations) + 1,
                    image_id=image,
                    category_id=IDS[label],
                    bbox=box.tolist(),
                    area=float(mask_utils.area(rle)),
                    iscrowd=int(rng.random() < 0.2),
                    segmentation=dict(
                        size=rle['size'], counts=rle['counts'].decode()
                    ),
                )
            )
        moved = boxes + rng.normal(0, 6, boxes.shape)
        found = np.concatenate([moved, random_boxes(rng, 5)])
        found = np.clip(found, 1, None)
        wrong = rng.random(14) < 0.2
        label = np.append(labels, rng.integers(0, 4, 5))
        label = np.where(wrong, rng.integers(0, 4, 14), label)
        corners = found.copy()
        corners[:, 2:] += corners[:, :2]
        masks = np.stack([mask_of(box) for box in found])
        samples.append(
            dict(
                img_id=image,
                ori_shape=(SIZE, SIZE),
                pred_instances=dict(
                    bboxes=torch.tensor(corners),
                    scores=torch.tensor(rng.random(14)),
                    labels=torch.tensor(label),
                    masks=torch.tensor(masks).bool(),
                ),
            )
        )
    content = dict(
        images=[dict(id=k, height=SIZE, width=SIZE) for k in range(6)],
        annotations=annotations,
        categories=[
            dict(id=i, name=n) for i, n in zip(IDS, CLASSES, strict=True)
        ],
    )
    path = tmp_path_factory.mktemp('coco') / 'val.json'
    path.write_text(json.dumps(content))
    return str(path), samples


def evaluate(metric, samples):
    metric.dataset_meta = dict(classes=CLASSES)
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.fixture(scope='module')
def reference(scene):
    """Of mmdet: fractions in three digits, also of each class."""
    path, samples = scene
    return {
        iou_type: evaluate(CocoMetric(path, iou_type, classwise=True), samples)
        for iou_type in ('bbox', 'segm')
    }


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_equals_mmdet(scene, reference, iou_type):
    path, samples = scene
    metric = ShotCocoMetric(path, ['bbox', 'segm'], class_stats=STATS)
    result = evaluate(metric, samples)
    known = reference[iou_type]
    for name in ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l'):
        expected = 100 * known[f'coco/{iou_type}_{name}']
        assert result[f'coco/{iou_type}_{name}'] == pytest.approx(
            expected, abs=0.0501
        )
    # a is many-shot, b medium; of c and d, which are few, d has no objects.
    for label, group in enumerate(('many', 'medium', 'few')):
        # mmdet names classes in the order of the file, values by sorted ids.
        name = CLASSES[sorted(IDS).index(IDS[label])]
        expected = 100 * known[f'coco/{name}_precision']
        assert (
            0
            < result[f'coco/{iou_type}_mAP_{group}']
            == pytest.approx(expected, abs=0.0501)
        )


def test_names_of_the_result(scene):
    path, samples = scene
    metric = ShotCocoMetric(path, class_stats=STATS, thresholds=(10,),
                            group_names=('rare', 'other'))  # fmt: skip
    assert set(evaluate(metric, samples)) == {
        f'coco/bbox_{name}'
        for name in (
            'mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l',
            'mAP_rare', 'mAP_other',
        )
    }  # fmt: skip


def test_nothing_is_found(scene):
    path, samples = scene
    nothing = [
        {
            **sample,
            'pred_instances': {
                name: value[:0]
                for name, value in sample['pred_instances'].items()
            },
        }
        for sample in samples
    ]
    result = evaluate(ShotCocoMetric(path, class_stats=STATS), nothing)
    assert result['coco/bbox_mAP'] == result['coco/bbox_mAP_few'] == 0


def test_table_of_classes(scene, monkeypatch):
    path, samples = scene
    lines = []
    logger = MMLogger.get_instance('test_table_of_coco_classes')
    monkeypatch.setattr(
        logger, 'handle', lambda record: lines.append(record.getMessage())
    )
    evaluate(ShotCocoMetric(path, class_stats=STATS, per_class=True), samples)
    table = next(text for text in lines if 'objects here' in text)
    rows = [row.split('|')[1:-1] for row in table.splitlines() if '|' in row]
    rows = [[cell.strip() for cell in row][:4] for row in rows]
    assert ['d', 'few', '3', '0'] in rows


def test_bad_input(scene, tmp_path):
    path, samples = scene
    with pytest.raises(ValueError, match='metric must be'):
        ShotCocoMetric(path, 'proposal')
    with pytest.raises(FileNotFoundError):
        ShotCocoMetric(str(tmp_path / 'no.json'))
    metric = ShotCocoMetric(path, class_stats=STATS)
    metric.dataset_meta = dict(classes=CLASSES)
    with pytest.raises(ValueError, match='no image of the id 99'):
        metric.process({}, [{**samples[0], 'img_id': 99}])
    with pytest.raises(ValueError, match=r'has 4 classes.* hold 3'):
        evaluate(ShotCocoMetric(path, class_stats=[9, 8, 7]), samples)
    with pytest.raises(ValueError, match='no class statistics'):
        evaluate(ShotCocoMetric(path), samples)
