import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from pycocotools import mask as mask_utils

from mmlt.evaluation import lvis as hotcoco_backend
from mmlt.evaluation.lvis import (
    Detections,
    error_types,
    evaluate,
    load_annotations,
    mean_precision,
    pooled,
    summarize,
)
from mmlt.evaluation.metrics import LVISMetric, lvis
from mmlt.registry import METRICS

TOOL = Path(__file__).parents[2] / 'tools' / 'benchmarks' / 'lvis_api.py'
spec = importlib.util.spec_from_file_location('lvis_api', TOOL)
lvis_api = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lvis_api)
HEIGHT, WIDTH = 200, 240
NAMES = ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf']
NAMES += ['AR@300', 'ARs@300', 'ARm@300', 'ARl@300']


def rle_of(box):
    """The mask of a box with a corner cut out."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8, order='F')
    x, y, w, h = np.asarray(box).astype(int)
    mask[y : y + h, x : x + w] = 1
    mask[y : y + h // 3, x : x + w // 2] = 0
    rle = mask_utils.encode(mask)
    return {'size': rle['size'], 'counts': rle['counts'].decode()}


def random_boxes(rng, number):
    size = rng.uniform(3, 190, (number, 2))
    corner = rng.random((number, 2)) * ([WIDTH, HEIGHT] - size)
    return np.concatenate([corner, size], 1)


def random_annotations(rng, num_images=8, num_categories=9):
    """LVIS json: ids in no order, categories of every kind of label."""
    ids = rng.permutation(np.arange(3, 3 + num_categories)).tolist()
    annotations, images = [], []
    for image in (7 * rng.permutation(num_images) + 2).tolist():
        # The last category never occurs.
        labels = rng.choice(ids[:-1], 12).tolist()
        for box, label in zip(random_boxes(rng, 12), labels, strict=True):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image,
                    'category_id': label,
                    'bbox': box.tolist(),
                    'area': float(mask_utils.area(rle_of(box))),
                    'segmentation': rle_of(box),
                }
            )
        absent = [i for i in ids if i not in labels]
        images.append(
            {
                'id': image,
                'height': HEIGHT,
                'width': WIDTH,
                'neg_category_ids': [i for i in absent if rng.random() < 0.5],
                'not_exhaustive_category_ids': [
                    i for i in set(labels) if rng.random() < 0.3
                ],
            }
        )
    annotations[5]['area'] = 0.0  # lvis-api leaves it out
    categories = [
        {'id': i, 'name': f'class {i}', 'frequency': 'rcf'[k % 3]}
        for k, i in enumerate(ids)
    ]
    return {
        'images': images,
        'annotations': annotations,
        'categories': categories,
    }


def random_detections(rng, content, number=350):
    """Near the objects, with ties of score; some without any area."""
    parts = []
    ids = [category['id'] for category in content['categories']]
    for image in content['images']:
        own = [
            entry
            for entry in content['annotations']
            if entry['image_id'] == image['id']
        ]
        pick = rng.integers(len(own), size=number)
        boxes = np.array([entry['bbox'] for entry in own])[pick]
        boxes = boxes + rng.normal(0, 3, (number, 4))
        boxes = boxes.clip([0, 0, 0.1, 0.1])
        boxes[0, 2] = 0
        labels = np.array([entry['category_id'] for entry in own])[pick]
        labels = np.where(
            rng.random(number) < 0.7, labels, rng.choice(ids, number)
        )
        scores = rng.random(number).round(2)
        parts.append((np.full(number, image['id']), labels, boxes, scores))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Detections(*columns, [rle_of(box) for box in columns[2]])


@pytest.fixture
def write_json(tmp_path):
    def write(content, name='annotations.json'):
        path = tmp_path / name
        path.write_text(json.dumps(content))
        return str(path)

    return write


@pytest.fixture
def three_images(write_json):
    """Image 1 holds a cat and a dog, image 2 a cat; no dog in image 3."""
    box = {'bbox': [10, 10, 40, 40], 'area': 1600}
    return write_json(
        {
            'images': [
                {
                    'id': i,
                    'height': HEIGHT,
                    'width': WIDTH,
                    'neg_category_ids': [9] if i == 3 else [],
                    'not_exhaustive_category_ids': [4] if i == 2 else [],
                }
                for i in (1, 2, 3)
            ],
            'annotations': [
                {'id': 1, 'image_id': 1, 'category_id': 4, **box},
                {'id': 2, 'image_id': 1, 'category_id': 9, **box},
                {'id': 3, 'image_id': 2, 'category_id': 4, **box},
            ],
            'categories': [
                {'id': 9, 'name': 'dog', 'frequency': 'r', 'image_count': 2},
                {'id': 4, 'name': 'cat', 'frequency': 'f', 'image_count': 800},
            ],
        }
    )


@pytest.fixture
def by_lvis_api(monkeypatch):
    """Let the metric use lvis-api, the reference."""
    for name in ('load_annotations', 'evaluate'):
        monkeypatch.setattr(lvis, name, getattr(lvis_api, name))


@pytest.fixture(params=['hotcoco', 'lvis'])
def backend(request):
    if request.param == 'lvis':
        request.getfixturevalue('by_lvis_api')


def sample(img_id, boxes, labels, scores, masks=None):
    """What a detector returns; boxes (x1, y1, x2, y2)."""
    instances = {
        'bboxes': torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        'labels': torch.tensor(labels, dtype=torch.long),
        'scores': torch.tensor(scores, dtype=torch.float32),
    }
    if masks is not None:
        instances['masks'] = masks
    return {
        'img_id': img_id,
        'ori_shape': (HEIGHT, WIDTH),
        'pred_instances': instances,
    }


def as_samples(content, detections):
    """The detections of each image, as a detector returns them."""
    ids = [category['id'] for category in content['categories']]
    samples = []
    for image in content['images']:
        (own,) = np.nonzero(detections.image_id == image['id'])
        box = detections.bbox[own].copy()
        box[:, 2:] += box[:, :2]
        samples.append(
            sample(
                image['id'],
                box,
                [ids.index(k) for k in detections.category_id[own]],
                detections.score[own],
                [detections.masks[k] for k in own],
            )
        )
    return samples


EXACT = [10, 10, 50, 50]
AWAY = [60, 60, 100, 100]


def run(metric, samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
@pytest.mark.parametrize('max_dets', [300, 40, None])
@pytest.mark.parametrize('per_class', [None, 60])
def test_backends_agree(
    write_json, monkeypatch, iou_type, max_dets, per_class
):
    monkeypatch.setattr('mmlt.evaluation.lvis.protocol.IMAGES_AT_ONCE', 3)
    for seed in range(2):
        rng = np.random.default_rng(seed)
        content = random_annotations(rng)
        detections = random_detections(rng, content)
        if per_class:
            detections = detections.best_of_each('category_id', per_class)
        path = write_json(content)
        frequency = np.array(
            [
                category['frequency']
                for category in sorted(
                    content['categories'], key=lambda entry: entry['id']
                )
            ]
        )
        results = []
        for backend in (hotcoco_backend, lvis_api):
            annotations = backend.load_annotations(path)
            ids = [category['id'] for category in content['categories']]
            assert list(annotations.cats) == ids
            curves = backend.evaluate(
                annotations, detections, iou_type, max_dets
            )
            results.append(summarize(curves, frequency))
        assert len(results[0]) == 13
        assert 0.05 < results[0]['AP'] < 0.95
        for name, value in results[0].items():
            assert value == pytest.approx(results[1][name], abs=1e-6), name


def test_summary_is_that_of_lvis_api(write_json):
    from lvis import LVISEval

    rng = np.random.default_rng(5)
    content = random_annotations(rng)
    detections = random_detections(rng, content)
    annotations = lvis_api.load_annotations(write_json(content))
    curves = lvis_api.evaluate(annotations, detections)
    reference = LVISEval(
        annotations,
        lvis_api.as_records(annotations, detections, 'bbox'),
        'bbox',
    )
    reference.freq_groups = reference._prepare_freq_group()
    reference.eval = {'precision': curves.precision, 'recall': curves.recall}
    reference.summarize()
    ids = sorted(annotations.cats)
    frequency = np.array([annotations.cats[i]['frequency'] for i in ids])
    ours = summarize(curves, frequency)
    for name, value in reference.results.items():
        assert ours[name.partition('@')[0]] == pytest.approx(value, abs=1e-12)


def test_numpy_stays_as_it_is(three_images, by_lvis_api):
    from lvis import eval as lvis_eval

    before = hasattr(np, 'float')
    metric = LVISMetric(three_images)
    run(metric, [sample(1, [EXACT], [1], [0.9])])
    assert hasattr(np, 'float') is before
    assert lvis_eval.np is np


def test_by_hand(three_images, backend):
    metric = LVISMetric(three_images)
    result = run(
        metric,
        [
            # Labels follow the file: 0 is dog, 1 is cat.
            sample(1, [EXACT, EXACT, AWAY], [0, 1, 0], [0.5, 0.9, 0.8]),
            # The cats of image 2 are not all annotated: no false positive.
            sample(2, [EXACT, AWAY], [1, 1], [0.4, 0.95]),
            # There is no dog, and nobody knows of cats.
            sample(3, [EXACT, EXACT], [0, 1], [0.6, 0.99]),
        ],
    )
    # cat: perfect. dog: the hit comes third.
    expected = {'APf': 100, 'APr': 100 / 3, 'AP': 200 / 3, 'AR@300': 100}
    expected |= {'AP50': 200 / 3, 'AP75': 200 / 3}
    expected |= {'APm': 200 / 3, 'ARm@300': 100}
    assert result == {
        f'lvis/bbox_{name}': pytest.approx(value, abs=1e-6)
        for name, value in expected.items()
    }


def test_caps(three_images, backend):
    samples = [
        sample(1, [AWAY, EXACT, EXACT], [0, 0, 1], [0.9, 0.8, 0.7]),
        sample(2, [EXACT], [1], [0.3]),
    ]
    capped = LVISMetric(three_images, max_dets=2)
    result = run(capped, samples)
    assert result['lvis/bbox_AR@2'] == pytest.approx(75)
    fixed = LVISMetric(three_images, max_dets=None, max_dets_per_class=1)
    result = run(fixed, samples)
    # One dog, which is wrong, and the better cat of two.
    assert result['lvis/bbox_APr_fixed'] == 0
    assert result['lvis/bbox_AR@all_fixed'] == pytest.approx(25)


def test_the_cap_of_a_class_is_over_the_data_set(three_images, backend):
    samples = [
        sample(1, [AWAY, EXACT], [1, 0], [0.9, 0.5]),
        sample(2, [EXACT], [1], [0.8]),
    ]
    # Of two cats, one an image, the worse one is the hit.
    metric = LVISMetric(three_images, max_dets=None, max_dets_per_class=1)
    result = run(metric, samples)
    assert result['lvis/bbox_APf_fixed'] == 0
    assert result['lvis/bbox_APr_fixed'] == pytest.approx(100)
    metric = LVISMetric(three_images, max_dets=None, max_dets_per_class=2)
    assert run(metric, samples)['lvis/bbox_APf_fixed'] > 0


def test_a_box_ends_where_it_ends(three_images, backend):
    """A side of ten pixels that is one too long has an IoU of 10 / 11."""
    with open(three_images) as file:
        content = json.load(file)
    for entry in content['annotations']:
        entry['bbox'], entry['area'] = [10, 10, 10, 10], 100
    with open(three_images, 'w') as file:
        json.dump(content, file)
    for box, hits in (  # at 0.5, 0.55, ..., 0.95
        ([10, 10, 20, 20], 10),
        ([10, 10, 21, 20], 9),
        ([10, 10, 20, 21], 9),
        ([11, 10, 20, 20], 9),
        ([10, 10, 19, 19], 7),
    ):
        metric = LVISMetric(three_images)
        result = run(metric, [sample(1, [box], [0], [0.5])])
        assert result['lvis/bbox_APr'] == pytest.approx(10 * hits)


@pytest.mark.parametrize('metric', ['bbox', 'segm'])
def test_no_detection_at_all(write_json, backend, metric):
    content = random_annotations(np.random.default_rng(0))
    evaluator = LVISMetric(write_json(content), metric)
    masks = torch.zeros(0, HEIGHT, WIDTH, dtype=torch.bool)
    result = run(
        evaluator,
        [sample(content['images'][0]['id'], [], [], [], masks)],
    )
    assert set(result) == {f'lvis/{metric}_{name}' for name in NAMES}
    assert set(result.values()) == {0.0}


def shift_ids(content, shift):
    for image in content['images']:
        image['id'] += shift
        for key in ('neg_category_ids', 'not_exhaustive_category_ids'):
            image[key] = [i + shift for i in image[key]]
    for entry in content['annotations']:
        for key in ('id', 'image_id', 'category_id'):
            entry[key] += shift
    for category in content['categories']:
        category['id'] += shift


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_ids_above_those_of_floats(write_json, iou_type):
    """Neighbours from 2^53 on are one float64."""
    rng = np.random.default_rng(4)
    content = random_annotations(rng)
    detections = random_detections(rng, content, number=60)
    samples = as_samples(content, detections)
    expected = run(LVISMetric(write_json(content), iou_type), samples)
    assert 5 < expected[f'lvis/{iou_type}_AP'] < 95
    shift_ids(content, 2**62)
    for each in samples:
        each['img_id'] += 2**62
    metric = LVISMetric(write_json(content), iou_type)
    assert run(metric, samples) == expected


@pytest.mark.parametrize(
    ('image', 'category', 'match'),
    [(5, 4, 'unknown image, first id 5'), (1, 8, 'unknown category, .* 8')],
)
def test_detections_of_other_data(three_images, image, category, match):
    detections = Detections(
        np.array([1, image]),
        np.array([9, category]),
        np.array([[10.0, 10, 40, 40]] * 2),
        np.ones(2),
    )
    annotations = hotcoco_backend.load_annotations(three_images)
    with pytest.raises(ValueError, match=match):
        hotcoco_backend.evaluate(annotations, detections)


def test_masks_and_their_own_scores(three_images, write_json):
    with open(three_images) as file:
        content = json.load(file)
    for entry in content['annotations']:
        entry['segmentation'] = rle_of([10, 10, 40, 40])
        entry['area'] = float(mask_utils.area(entry['segmentation']))
    path = write_json(content, 'masks.json')
    mask = torch.from_numpy(mask_utils.decode(rle_of([10, 10, 40, 40])))
    prediction = sample(
        1,
        [AWAY, AWAY],
        [0, 0],
        [0.5, 0.4],
        torch.stack([mask, mask.roll(60, 1)]).bool(),
    )
    result = run(LVISMetric(path, ['bbox', 'segm']), [prediction])
    assert result['lvis/bbox_APr'] == 0
    assert result['lvis/segm_APr'] == pytest.approx(100)
    prediction['pred_instances']['mask_scores'] = torch.tensor([0.1, 0.9])
    result = run(LVISMetric(path, 'segm'), [prediction])
    assert result['lvis/segm_APr'] == pytest.approx(50)


def test_predictions_are_written(three_images, tmp_path):
    prefix = str(tmp_path / 'run' / 'a')
    samples = [sample(2, [EXACT], [1], [0.5])]
    metric = LVISMetric(three_images, format_only=True, outfile_prefix=prefix)
    assert run(metric, samples) == {}
    with open(f'{prefix}.bbox.json') as file:
        assert json.load(file) == [
            {
                'image_id': 2,
                'bbox': [10.0, 10.0, 40.0, 40.0],
                'score': 0.5,
                'category_id': 4,
            }
        ]
    result = run(LVISMetric(three_images, outfile_prefix=prefix), samples)
    assert result['lvis/bbox_APf'] == pytest.approx(100 * 51 / 101)


def test_table_of_classes(three_images, monkeypatch):
    lines = []
    logger = MMLogger.get_instance('test_table_of_classes')
    monkeypatch.setattr(
        logger, 'handle', lambda record: lines.append(record.getMessage())
    )
    metric = LVISMetric(three_images, classwise=True)
    run(metric, [sample(1, [EXACT], [1], [0.9])])
    table = next(text for text in lines if 'AP of each class' in text)
    rows = [row.split('|')[1:-1] for row in table.splitlines() if '|' in row]
    rows = [[cell.strip() for cell in row] for row in rows]
    # Two cats are there to find, and one dog.
    assert ['cat', 'f', '800', '2', '50.50', '50.50'] in rows
    assert rows.index(['dog', 'r', '2', '1', '0.00', '0.00']) == len(rows) - 1


def test_pooled_by_hand(three_images):
    """A false dog outranks the cat that is found, of three objects."""
    samples = [sample(1, [EXACT], [1], [0.9]), sample(3, [EXACT], [0], [0.95])]
    result = run(LVISMetric(three_images, pool=True), samples)
    assert result['lvis/bbox_AP_pool'] == pytest.approx(100 * 34 / 101 / 2)
    # Each class for itself has no false box before its first hit.
    assert result['lvis/bbox_AP'] == pytest.approx(100 * 51 / 101 / 2)
    # Where nobody knows of dogs, the box does not count.
    samples[1]['img_id'] = 2
    result = run(LVISMetric(three_images, pool=True), samples)
    assert result['lvis/bbox_AP_pool'] == pytest.approx(100 * 34 / 101)


def iou(a, b):
    corner = np.maximum(a[:2], b[:2])
    end = np.minimum(a[:2] + a[2:], b[:2] + b[2:])
    shared = np.prod((end - corner).clip(0))
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def naive_pool(content, found, threshold):
    """Precision at 101 levels of recall, box by box."""
    objects = [e for e in content['annotations'] if e['area'] > 0]
    images = {image['id']: image for image in content['images']}
    free = dict.fromkeys(range(len(objects)), True)
    hits = []
    for d in np.argsort(-found.score):
        image, category = found.image_id[d], found.category_id[d]
        if found.bbox[d, 2] * found.bbox[d, 3] == 0:
            continue
        own = [
            k
            for k, e in enumerate(objects)
            if (e['image_id'], e['category_id']) == (image, category)
        ]
        if not own and category not in images[image]['neg_category_ids']:
            continue
        overlap = {
            k: iou(found.bbox[d], np.array(objects[k]['bbox']))
            for k in own
            if free[k]
        }
        best = max(overlap, key=overlap.get, default=None)
        if best is not None and overlap[best] >= threshold:
            free[best] = False
            hits.append(True)
        elif category not in images[image]['not_exhaustive_category_ids']:
            hits.append(False)
    hits = np.array(hits)
    recall = hits.cumsum() / len(objects)
    precision = hits.cumsum() / np.arange(1, len(hits) + 1)
    levels = np.linspace(0, 1, 101)
    return np.mean(
        [precision[recall >= level].max(initial=0) for level in levels]
    )


def test_pooled_is_one_ranking_of_all_classes(write_json):
    rng = np.random.default_rng(3)
    content = random_annotations(rng, 4, 5)
    found = random_detections(rng, content, 60)
    # Ties would be broken by the order.
    found = found._replace(score=rng.permutation(len(found.score)) / 1e3)
    annotations = load_annotations(write_json(content))
    curves = evaluate(*pooled(annotations, found), max_dets=None)
    for k in (0, 5):
        assert mean_precision(curves.precision[k, ..., 0]) == pytest.approx(
            naive_pool(content, found, 0.5 + 0.05 * k)
        )


def test_pooled_takes_the_boxes_of_the_caps(three_images):
    samples = [sample(1, [EXACT, EXACT], [1, 0], [0.9, 0.8])]
    for cap, found in ((1, 34), (2, 67)):
        metric = LVISMetric(three_images, pool=True, max_dets=cap)
        result = run(metric, samples)
        assert result['lvis/bbox_AP_pool'] == pytest.approx(100 * found / 101)


@pytest.mark.parametrize(
    ('image', 'label', 'box', 'kind'),
    [
        (1, 0, AWAY, 'Bkg'),
        (1, 1, [10, 10, 50, 25], 'Loc'),
        (3, 0, EXACT, 'Bkg'),
        (2, 0, EXACT, None),
    ],
)
def test_error_types(three_images, image, label, box, kind):
    """One wrong box before right ones; nobody knows of dogs in image 2."""
    samples = [
        sample(1, [EXACT, EXACT], [0, 1], [0.5, 0.6]),
        sample(2, [EXACT], [1], [0.5]),
        sample(3, [], [], []),
    ]
    wrong = sample(image, [box], [label], [0.9])
    merged = samples[image - 1]['pred_instances']
    for key, value in wrong['pred_instances'].items():
        merged[key] = torch.cat([merged[key], value])
    result = run(LVISMetric(three_images, error_types=True), samples)
    lost = {
        name.removeprefix('lvis/bbox_dAP_'): value
        for name, value in result.items()
        if '_dAP_' in name
    }
    assert sorted(lost) == sorted(lvis.ERRORS)
    single = {name: lost[name] for name in lvis.ERRORS[:6]}
    assert {name for name, v in single.items() if v > 1e-6} == {kind} - {None}


def test_errors_are_gains_of_ap50(write_json):
    rng = np.random.default_rng(0)
    content = random_annotations(rng)
    annotations = load_annotations(write_json(content))
    found = random_detections(rng, content, 50)
    lost = error_types(annotations, found)
    curves = evaluate(annotations, found)
    room = 1 - mean_precision(curves.precision[0, ..., 0])
    assert all(0 <= value <= room + 1e-6 for value in lost.values())
    assert max(lost, key=lost.get) == 'FP'


@pytest.mark.parametrize(
    ('name', 'is_there'),
    [
        ('lvis/bbox_APr', True),
        ('lvis/bbox_AP_pool', True),
        ('lvis/bbox_dAP_Cls', True),
        ('coco/bbox_mAP', True),  # of another metric
        ('lvis/bbox_APc', False),
        ('lvis/bbox_APl', False),
        ('lvis/segm_AP', False),
        ('lvis/bbox_AP_fixed', False),
    ],
)
def test_what_chooses_the_best_is_in_the_result(three_images, name, is_there):
    metric = LVISMetric(three_images, pool=True, error_types=True)
    if is_there:
        metric.check_dataset([], [name])
        return
    with pytest.raises(ValueError, match=rf"save_best='{name}' is not in"):
        metric.check_dataset([], [name])


def test_names_that_are_checked_are_those_of_the_result(three_images):
    metric = LVISMetric(three_images, pool=True, error_types=True)
    result = run(metric, [sample(1, [EXACT], [1], [0.9])])
    metric.check_dataset([], list(result))


def test_lvis_v05_file(three_images, write_json):
    # v0.5 has file names and no coco_url; nothing else is different.
    with open(three_images) as file:
        content = json.load(file)
    for image in content['images']:
        image['file_name'] = f'COCO_val2014_{image["id"]:012d}.jpg'
    metric = LVISMetric(write_json(content, 'v05.json'))
    assert run(metric, [sample(1, [EXACT], [1], [1.0])])['lvis/bbox_APr'] == 0


def test_a_list_that_is_missing_is_empty(three_images, backend):
    with open(three_images) as file:
        content = json.load(file)
    for image in content['images']:
        del image['not_exhaustive_category_ids']
    del content['images'][0]['neg_category_ids']
    with open(three_images, 'w') as file:
        json.dump(content, file)
    metric = LVISMetric(three_images)
    result = run(
        metric,
        [
            sample(1, [EXACT], [1], [0.9]),
            sample(2, [EXACT, AWAY], [1, 1], [0.4, 0.95]),
        ],
    )
    # Now the box that hits nothing in image 2 counts.
    assert result['lvis/bbox_APf'] == pytest.approx(200 / 3)


def break_file(content, kind):
    if kind == 'no images':
        content['images'] = []
    elif kind == 'coco':
        for image in content['images']:
            del image['neg_category_ids']
        for category in content['categories']:
            del category['frequency']
    elif kind == 'no negatives':
        for image in content['images']:
            del image['neg_category_ids']
    elif kind == 'frequency':
        content['categories'][0]['frequency'] = 'x'
    elif kind == 'no frequency':
        del content['categories'][0]['frequency']
    elif kind == 'no annotations':
        del content['annotations']
    elif kind in ('bbox', 'area'):
        del content['annotations'][1][kind]
    elif kind in ('image_id', 'category_id'):
        content['annotations'][1][kind] = 77
    elif kind.startswith('two '):
        content[kind[4:]] += content[kind[4:]][1:2]
    elif kind == 'beyond int64':
        content['images'][0]['id'] = 2**63
        content['annotations'] = content['annotations'][2:]
    return content


@pytest.mark.parametrize(
    ('kind', 'match'),
    [
        ('cut', 'is damaged, or not in the LVIS format'),
        ('list', 'damaged|has no images'),
        ('no images', 'has no images'),
        ('coco', "lack 'neg_category_ids', .*'frequency', .*ShotCocoMetric"),
        ('no negatives', "images lack 'neg_category_ids', known to be ab"),
        ('no frequency', "1 of 2 categories lack 'frequency', first id 9"),
        ('frequency', "category 9 has the frequency 'x'"),
        ('no annotations', 'json.* has no annotations'),
        ('bbox', "json': 1 of 3 annotations lack 'bbox', first id 2"),
        ('area', "json': 1 of 3 annotations lack 'area', first id 2"),
        ('image_id', "json': annotation 2 has the image_id 77, which"),
        ('category_id', "json': annotation 2 has the category_id 77"),
        ('two images', "json': 2 of 4 images have the id 2"),
        ('two annotations', "json': 2 of 4 annotations have the id 2"),
        ('two categories', "json': 2 of 3 categories have the id 4"),
        ('beyond int64', "json': images have the id 9223372036854775808"),
    ],
)
def test_damaged_annotations(three_images, kind, match):
    with open(three_images) as file:
        text = file.read()
    if kind == 'cut':
        text = text[: len(text) // 2]
    elif kind == 'list':
        text = '[]'
    else:
        text = json.dumps(break_file(json.loads(text), kind))
    with open(three_images, 'w') as file:
        file.write(text)
    with pytest.raises(ValueError, match=match):
        LVISMetric(three_images)


def test_missing_annotations(tmp_path):
    with pytest.raises(FileNotFoundError, match='ann_file: no file'):
        LVISMetric(str(tmp_path / 'none.json'))


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(metric='proposal'), "metric must be 'bbox', 'segm'"),
        (dict(metric=[]), 'metric must be'),
        (dict(max_dets=0), 'max_dets must be a whole number >= 1'),
        (dict(max_dets_per_class=1.5), 'max_dets_per_class must be a whole'),
        (dict(max_dets=True), 'max_dets must be a whole .* got True'),
        (dict(max_dets='300'), "max_dets must be a whole .* got '300'"),
        (dict(format_only=True), 'say where with outfile_prefix'),
    ],
)
def test_bad_arguments(three_images, kwargs, match):
    with pytest.raises(ValueError, match=match):
        LVISMetric(three_images, **kwargs)


@pytest.mark.parametrize(
    'name', ['classwise', 'error_types', 'format_only', 'pool']
)
def test_switches(three_images, name):
    with pytest.raises(TypeError, match=f'{name} must be True or False'):
        LVISMetric(three_images, **{name: 'yes'})


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        (dict(img_id=5), 'has no image of the id 5'),
        (dict(labels=[2]), 'predicts the label 2, but .* has 2 categories'),
        # Python would take the last category.
        (dict(labels=[-1]), 'predicts the label -1, but .* labels 0 to 1;'),
    ],
)
def test_predictions_that_do_not_fit(three_images, change, match):
    arguments = dict(img_id=1, boxes=[EXACT], labels=[0], scores=[0.5])
    metric = LVISMetric(three_images)
    with pytest.raises(ValueError, match=match):
        metric.process({}, [sample(**arguments | change)])


def test_annotations_of_other_images(three_images):
    """Found before the first step, not at the first validation."""

    class Images:
        def __init__(self, ids):
            self.ids = ids

        def __len__(self):
            return len(self.ids)

        def get_data_info(self, index):
            return {'img_id': self.ids[index]}

    metric = LVISMetric(three_images)
    metric.check_dataset(Images([3, 1, 2]), [])
    metric.check_dataset([1, 2], [])
    with pytest.raises(ValueError, match=r'has no image of the id 7; it must'):
        metric.check_dataset(Images([1, 2, 7]), [])


def test_classes_that_do_not_fit(three_images):
    """MMEngine says before the first step what the data set holds."""
    evaluator = Evaluator(LVISMetric(three_images))
    with pytest.raises(ValueError, match=r'3 classes, but .* 2 cat'):
        evaluator.dataset_meta = {'classes': ['a', 'b', 'c']}
    evaluator.dataset_meta = {'classes': ['a', 'b']}
    assert evaluator.metrics[0].dataset_meta == {'classes': ['a', 'b']}


def test_masks_are_asked_for(three_images):
    metric = LVISMetric(three_images, metric='segm')
    with pytest.raises(ValueError, match='needs masks'):
        metric.process({}, [sample(1, [EXACT], [0], [0.5])])


def test_built_from_a_config(three_images):
    metric = METRICS.build(
        dict(
            type='mmlt.LVISMetric',
            ann_file=three_images,
            metric=['bbox', 'segm'],
        )
    )
    assert isinstance(metric, LVISMetric)
    with pytest.raises(TypeError, match='proposal_nums'):
        METRICS.build(
            dict(
                type='mmlt.LVISMetric',
                ann_file=three_images,
                proposal_nums=[100],
            )
        )


def evaluate_shard(rank, arguments, samples):
    evaluator = Evaluator(LVISMetric(**arguments))
    # Of seven images, the first counts for both ranks.
    shard = list(DefaultSampler(samples, shuffle=False))
    for index in shard:
        evaluator.process([samples[index]])
    return len(shard), evaluator.evaluate(len(samples))


# The fixture forks, and hotcoco's threads do not outlive that.
@pytest.mark.usefixtures('by_lvis_api')
def test_two_ranks_evaluate_as_one(write_json, on_two_ranks):
    rng = np.random.default_rng(3)
    content = random_annotations(rng, num_images=7)
    detections = random_detections(rng, content, number=60)
    samples = as_samples(content, detections)
    arguments = dict(ann_file=write_json(content), metric=['bbox', 'segm'])
    alone = run(LVISMetric(**arguments), samples)
    assert 5 < alone['lvis/bbox_AP'] < 95
    first, second = on_two_ranks(evaluate_shard, arguments, samples)
    assert first[0] == second[0] == 4
    assert first[1] == second[1] == alone
