"""Predictions of MMDetection as arrays. D detections, C classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mmlt.evaluation.lvis import Detections


def gather_detections(
    predictions: Sequence[dict], cat_ids: Sequence[int], iou_type: str
) -> Detections:
    """All detections of all images.

    Args:
        predictions (Sequence[dict]): What ``CocoMetric.process`` keeps of
            each image.
        cat_ids (Sequence[int]): (C,) ids of the categories, by label.
        iou_type (str): ``'bbox'``, or ``'segm'`` for masks and their scores,
            if they have any.
    """
    count = [len(each['labels']) for each in predictions]
    image_id = np.array([each['img_id'] for each in predictions], np.int64)
    labels = np.concatenate([each['labels'] for each in predictions])
    box = np.concatenate([each['bboxes'] for each in predictions])
    box = box.reshape(-1, 4).astype(np.float64)
    box[:, 2:] -= box[:, :2]
    masks, key = None, 'scores'
    if iou_type == 'segm':
        masks = [mask for each in predictions for mask in each['masks']]
        if 'mask_scores' in predictions[0]:
            key = 'mask_scores'
    return Detections(
        np.repeat(image_id, count),
        np.asarray(cat_ids)[labels.astype(np.int64)],
        box,
        np.concatenate([each[key] for each in predictions]).astype(float),
        masks,
    )
