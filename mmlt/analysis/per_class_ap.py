"""The AP of each class of LVIS. C classes, D detections."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmlt.class_stats import ClassStats
from mmlt.evaluation.lvis import Detections, evaluate, mean_precision


def as_detections(entries: list[dict], iou_type: str) -> Detections:
    """The entries of a json that ``mmlt.LVISMetric`` writes, as columns.

    Args:
        entries (list[dict]): D detections.
        iou_type (str): ``'bbox'`` or ``'segm'``.

    Raises:
        ValueError: If they are something else.
    """
    try:
        columns = {
            key: [entry[key] for entry in entries]
            for key in ('image_id', 'category_id', 'bbox', 'score')
        }
        masks = None
        if iou_type == 'segm':
            masks = [entry['segmentation'] for entry in entries]
    except (KeyError, TypeError) as error:
        raise ValueError(f'{type(error).__name__}: {error}') from error
    return Detections(
        np.array(columns['image_id'], np.int64),
        np.array(columns['category_id'], np.int64),
        np.array(columns['bbox'], np.float64).reshape(-1, 4),
        np.array(columns['score'], np.float64),
        masks,
    )


def class_ap(
    annotations: Any, detections: Detections, iou_type: str
) -> np.ndarray:
    """(C,) AP in percent, in file order; NaN for what does not occur.

    Args:
        annotations: From :func:`mmlt.evaluation.lvis.load_annotations`.
        detections (Detections): Of all images.
        iou_type (str): ``'bbox'`` or ``'segm'``.

    Raises:
        ValueError: If the detections are of other images.
    """
    unknown = set(detections.image_id.tolist()) - set(annotations.imgs)
    if unknown:
        raise ValueError(
            f'predictions: the annotation file has no image {min(unknown)}; '
            'both must be of one split'
        )
    precision = evaluate(annotations, detections, iou_type).precision
    row = {category: k for k, category in enumerate(sorted(annotations.cats))}
    return np.array(
        [
            100 * mean_precision(precision[:, :, row[category], 0])
            for category in annotations.cats
        ]
    )


def training_stats(annotations: Any, class_stats: Any = None) -> ClassStats:
    """What is given, or the counts that LVIS writes into its files.

    Args:
        annotations: From :func:`mmlt.evaluation.lvis.load_annotations`.
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`.

    Raises:
        ValueError: If the file has none or the classes differ in number.
    """
    cats = list(annotations.cats.values())
    stats = ClassStats.from_any(class_stats)
    if stats is None:
        if not all('image_count' in category for category in cats):
            raise ValueError(
                'ann_file: its categories have no image_count; give '
                '--class-stats'
            )
        return ClassStats(
            [category['image_count'] for category in cats],
            classes=[category['name'] for category in cats],
        )
    if stats.num_classes != len(cats):
        raise ValueError(
            f'class_stats: {stats.num_classes} classes, but ann_file has '
            f'{len(cats)} categories'
        )
    return stats
