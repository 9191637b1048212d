"""What detections say. L objects, D detections, C classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import hotcoco
import numpy as np

from mmlt.analysis.confusion import describe_confusion
from mmlt.analysis.per_class_ap import as_detections
from mmlt.analysis.report.predictions import BINS, reliability, summary
from mmlt.class_stats import ClassStats
from mmlt.class_stats.names import check_same_classes
from mmlt.evaluation.lvis import (
    Detections,
    load_annotations,
    match,
    mean_precision,
)

# A detection is of an object if they overlap by this much.
IOU = 0.5


def describe_detections(
    path: Path,
    ann_file: str,
    stats: ClassStats,
    group: np.ndarray,
    names: Sequence[str],
) -> dict:
    """AP by class, calibration, and what objects are taken for.

    Args:
        path (Path): The json that ``outfile_prefix`` of a metric names.
        ann_file (str): Annotations of the same images, of COCO or LVIS.
        stats (ClassStats): Of the training set.
        group (np.ndarray): (C,) of each class.
        names (Sequence[str]): G names, rarest first.

    Returns:
        dict: ``measure``, ``scores`` and ``summary`` of
        :func:`mmlt.analysis.report.predictions.summary`, ``calibration``,
        ``confusion`` and ``pairs``.

    Raises:
        FileNotFoundError: If there is no such annotation file.
        ValueError: If a file is something else, or of other classes.
    """
    if not Path(ann_file).is_file():
        raise FileNotFoundError(f'ann_file: no file {ann_file!r}')
    content = json.loads(Path(ann_file).read_text(encoding='utf-8'))
    classes = [each['name'] for each in content['categories']]
    position = {name: k for k, name in enumerate(stats.classes or classes)}
    check_same_classes(
        tuple(sorted(position)),
        tuple(sorted(classes)),
        'the training set',
        f'ann_file {ann_file!r}',
    )
    label = {c['id']: position[c['name']] for c in content['categories']}
    detections = read_detections(path)
    for what, given, known in (
        ('category', detections.category_id, label),
        ('image', detections.image_id, {i['id'] for i in content['images']}),
    ):
        unknown = set(given.tolist()) - set(known)
        if unknown:
            raise ValueError(
                f'runs: {str(path)!r} has detections of the {what} '
                f'{min(unknown)}, which {ann_file!r} has not; both must be of '
                'one split of one data set'
            )
    if 'neg_category_ids' in content['images'][0]:
        run = match(load_annotations(ann_file), detections)
        # hotcoco gets the positions of the sorted ids.
        order = {k: label[each] for k, each in enumerate(sorted(label))}
    else:
        run, order = match_coco(content, detections), label
    scores = class_ap(run, order)
    found, true = taken_for(content['annotations'], detections)
    lookup = np.vectorize({**label, -1: -1}.get, otypes=[np.int64])
    return {
        **summary('AP', scores, group, names),
        'calibration': calibration(run, order, group, names),
        **describe_confusion(
            lookup(found),
            lookup(true),
            np.ones(len(found)),
            stats,
            group,
            names,
        ),
    }


def read_detections(path: Path) -> Detections:
    """Read a json of detections.

    Args:
        path (Path): The file.

    Raises:
        ValueError: If it holds something else, or none.
    """
    try:
        entries = json.loads(path.read_text(encoding='utf-8'))
        if not isinstance(entries, list) or not entries:
            raise ValueError('expected a list of them')
        return as_detections(entries, 'bbox')
    except ValueError as error:
        raise ValueError(
            f'runs: {str(path)!r} holds no detections ({error}); write it '
            'with outfile_prefix of the metric'
        ) from error


def match_coco(content: dict, detections: Detections) -> hotcoco.COCOeval:
    """Match detections with objects by the protocol of COCO.

    Args:
        content (dict): Of the annotation file.
        detections (Detections): Of its images.
    """
    truth = hotcoco.COCO(content)
    rows = np.column_stack(
        (
            detections.image_id,
            detections.bbox,
            detections.score,
            detections.category_id,
        )
    )
    run = hotcoco.COCOeval(truth, truth.load_res(rows), 'bbox')
    run.evaluate()
    return run


def class_ap(run: hotcoco.COCOeval, label: dict[int, int]) -> np.ndarray:
    """(C,) AP in percent; NaN for what does not occur.

    Args:
        run (hotcoco.COCOeval): What has been matched.
        label (dict[int, int]): Class of each category id.
    """
    run.accumulate()
    precision = np.asarray(run.eval['precision'])[:, :, :, 0, -1]
    scores = np.full(len(label), np.nan)
    for k, category in enumerate(run.params.cat_ids):
        scores[label[category]] = 100 * mean_precision(precision[:, :, k])
    return scores


def calibration(
    run: hotcoco.COCOeval,
    label: dict[int, int],
    group: np.ndarray,
    names: Sequence[str],
) -> dict[str, dict]:
    """Of all detections, and of each group, the most frequent first.

    A detection is right if it overlaps by ``IOU`` an object of its class that
    no better one has: `Multivariate Confidence Calibration for Object
    Detection <https://arxiv.org/abs/2004.13546>`_, section 2, by score alone.

    Args:
        run (hotcoco.COCOeval): What has been matched; matched again.
        label (dict[int, int]): Class of each category id.
        group (np.ndarray): (C,) of each class.
        names (Sequence[str]): G names, rarest first.

    Returns:
        dict[str, dict]: As
        :func:`mmlt.analysis.report.predictions.grouped_reliability`.
    """
    members = {'all': list(label)}
    for g in range(len(names))[::-1]:
        members[names[g]] = [i for i, k in label.items() if group[k] == g]
    run.params.iou_thrs = [IOU]
    return {name: _reliability(run, ids) for name, ids in members.items()}


def _reliability(run: hotcoco.COCOeval, ids: list[int]) -> dict:
    """Of the detections of some categories."""
    if not ids:
        # hotcoco takes all categories then.
        return reliability(np.array([]), np.array([], bool))
    run.params.cat_ids = ids
    run.evaluate()
    found = run.calibration(n_bins=BINS, iou_threshold=IOU)
    columns = {
        key: np.array([each[name] for each in found['bins']])
        for key, name in (
            ('count', 'count'),
            ('confidence', 'avg_confidence'),
            ('accuracy', 'avg_accuracy'),
        )
    }
    for key in ('confidence', 'accuracy'):
        columns[key][columns['count'] == 0] = np.nan
    known = found['num_detections'] > 0
    return {
        'ece': 100 * found['ece'] if known else np.nan,
        **{key: values.tolist() for key, values in columns.items()},
    }


def taken_for(
    objects: list[dict], detections: Detections
) -> tuple[np.ndarray, np.ndarray]:
    """The category of the best detection that overlaps each object.

    Args:
        objects (list[dict]): Annotations of COCO or LVIS; crowds are left
            out.
        detections (Detections): Of the same images.

    Returns:
        tuple: (L,) int64 category ids, -1 where no detection overlaps the
        object by ``IOU``, and (L,) those of the objects.
    """
    objects = [each for each in objects if not each.get('iscrowd')]
    image = np.array([each['image_id'] for each in objects], np.int64)
    boxes = np.array([each['bbox'] for each in objects]).reshape(-1, 4)
    true = np.array([each['category_id'] for each in objects], np.int64)
    best = np.argsort(-detections.score, kind='stable')
    best = best[np.argsort(detections.image_id[best], kind='stable')]
    found = np.full(len(objects), -1)
    by_image = np.argsort(image, kind='stable')
    images, starts = np.unique(image[by_image], return_index=True)
    first, last = (
        np.searchsorted(detections.image_id[best], images, side)
        for side in ('left', 'right')
    )
    for rows, begin, end in zip(
        np.split(by_image, starts[1:]), first, last, strict=True
    ):
        candidates = best[begin:end]
        if not candidates.size:
            continue
        hit = overlap(boxes[rows], detections.bbox[candidates]) >= IOU
        category = detections.category_id[candidates[hit.argmax(1)]]
        found[rows] = np.where(hit.any(1), category, -1)
    return found, true


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(A, B) intersection over union of boxes (x, y, width, height).

    Args:
        first (np.ndarray): (A, 4).
        second (np.ndarray): (B, 4).
    """
    first, second = first[:, None], second[None]
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(
        first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:]
    )
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    area = np.prod(first[..., 2:], axis=-1) + np.prod(second[..., 2:], axis=-1)
    return shared / np.maximum(area - shared, np.finfo(float).tiny)
