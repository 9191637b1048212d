"""The LVIS protocol: detections and annotations in, precision curves out.

`LVIS <https://arxiv.org/abs/1908.03195>`_, section 2: federated annotations,
so a detection counts only where its category is known to be present or
absent in the image. hotcoco does the matching; lvis-api, the reference, gives
the same numbers. D detections, K categories sorted by id, T IoU thresholds
(0.5 to 0.95), R recall levels (0 to 1), A areas (all, small, medium, large).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import hotcoco
import numpy as np

from mmlt.evaluation.functional import nanmean

from .annotations import GROUPS, Annotations

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
# Masks of all images at once would take gigabytes.
IMAGES_AT_ONCE = 500
# Detections of an image that hotcoco's streaming evaluation takes.
HOTCOCO_CAP = 300


class Detections(NamedTuple):
    """D detections in columns, in any order.

    Args:
        image_id (np.ndarray): (D,) int64.
        category_id (np.ndarray): (D,) int64, ids of the annotation file.
        bbox (np.ndarray): (D, 4) float64, (x, y, width, height) in pixels.
        score (np.ndarray): (D,) float64.
        masks (list[dict] | None): D run-length encoded masks.
    """

    image_id: np.ndarray
    category_id: np.ndarray
    bbox: np.ndarray
    score: np.ndarray
    masks: list[dict] | None = None

    def take(self, index: np.ndarray) -> Detections:
        """The detections at the positions ``index``."""
        masks = self.masks and [self.masks[i] for i in index]
        return Detections(*(column[index] for column in self[:4]), masks)

    def best_of_each(self, column: str, cap: int) -> Detections:
        """At most ``cap`` detections of each image or of each class.

        Those of highest score; ties stay in their order. ``'category_id'``
        is the cap over the data set of `Evaluating Large-Vocabulary Object
        Detectors <https://arxiv.org/abs/2102.01066>`_, section 4.

        Args:
            column (str): ``'image_id'`` or ``'category_id'``.
            cap (int): Detections that stay.
        """
        key = getattr(self, column)
        if np.unique(key, return_counts=True)[1].max(initial=0) <= cap:
            return self
        order = np.lexsort((-self.score, key))
        _, start, count = np.unique(
            key[order], return_index=True, return_counts=True
        )
        rank = np.arange(len(order)) - np.repeat(start, count)
        return self.take(np.sort(order[rank < cap]))


class Curves(NamedTuple):
    """What the matching finds; -1 where there is no object to find.

    Args:
        precision (np.ndarray): (T, R, K, A) in [0, 1].
        recall (np.ndarray): (T, K, A) in [0, 1].
    """

    precision: np.ndarray
    recall: np.ndarray


def mean_precision(precision: np.ndarray) -> float:
    """Mean precision in [0, 1] over what is known; NaN if nothing is."""
    return nanmean(precision[precision > -1])


def summarize(curves: Curves, frequency: np.ndarray) -> dict[str, float]:
    """The 13 numbers of lvis-api, in [0, 1]; NaN for what does not occur.

    Args:
        curves (Curves): Of :func:`evaluate`.
        frequency (np.ndarray): (K,) ``'r'``, ``'c'`` or ``'f'``.

    Returns:
        dict[str, float]: AP, AP50, AP75; APs, APm, APl by area; APr, APc,
        APf by frequency; AR, ARs, ARm, ARl.
    """
    precision, recall = curves
    everywhere = precision[..., 0]
    result = {
        'AP': everywhere,
        'AP50': everywhere[np.isclose(IOU_THRESHOLDS, 0.5)],
        'AP75': everywhere[np.isclose(IOU_THRESHOLDS, 0.75)],
    }
    for index, area in enumerate('sml', start=1):
        result[f'AP{area}'] = precision[..., index]
    for group in GROUPS:
        result[f'AP{group}'] = everywhere[..., frequency == group]
    for index, area in enumerate(('', *'sml')):
        result[f'AR{area}'] = recall[..., index]
    return {name: mean_precision(part) for name, part in result.items()}


def evaluate(
    annotations: Annotations,
    detections: Detections,
    iou_type: str = 'bbox',
    max_dets: int | None = 300,
) -> Curves:
    """Match the detections with the annotations.

    Args:
        annotations (Annotations): From :func:`load_annotations`.
        detections (Detections): Of all images.
        iou_type (str): ``'bbox'`` or ``'segm'``.
        max_dets (int | None): Detections that count of an image, the best
            of all categories. None: all.

    Raises:
        ValueError: If the annotations lack an image or a category.
    """
    numbered = _numbered(annotations, detections, max_dets)
    run = _match(annotations, numbered, iou_type)
    run.accumulate()
    return Curves(
        np.asarray(run.eval['precision'])[..., 0],
        np.asarray(run.eval['recall'])[..., 0],
    )


def error_types(
    annotations: Annotations,
    detections: Detections,
    iou_type: str = 'bbox',
    max_dets: int | None = 300,
) -> dict[str, float]:
    """What the AP50 loses by each kind of error.

    `TIDE <https://arxiv.org/abs/2008.08115>`_, section 2: of boxes with
    another class (Cls), at a wrong place (Loc), both (Both), of an object
    that has one (Dupe), on the background (Bkg), and of objects that none
    found (Miss); FP are all false positives, FN all objects not found. Only
    boxes count whose category is known to be in the image or not.

    Args:
        annotations (Annotations): See :func:`evaluate`, also for the rest.

    Returns:
        dict[str, float]: Gain in [0, 1] if all errors of the kind were right.
    """
    run = match(annotations, detections, iou_type, max_dets)
    return run.tide_errors()['delta_ap']


def match(
    annotations: Annotations,
    detections: Detections,
    iou_type: str = 'bbox',
    max_dets: int | None = 300,
) -> hotcoco.LVISeval:
    """What hotcoco's own analyses start from.

    Args:
        annotations (Annotations): See :func:`evaluate`, also for the rest.
    """
    return _match_at_once(
        annotations, _numbered(annotations, detections, max_dets), iou_type
    )


def _match(
    annotations: Annotations, detections: Detections, iou_type: str
) -> hotcoco.COCOeval:
    """Match numbered detections, sorted by image."""
    if np.bincount(detections.image_id).max(initial=0) > HOTCOCO_CAP:
        return _match_at_once(annotations, detections, iou_type)
    # The same, but holding the masks of some images at a time.
    matching = hotcoco.StreamingEval(
        annotations.content['categories'], iou_type, lvis_style=True
    )
    start = 0
    for images, entries in annotations.in_parts(IMAGES_AT_ONCE):
        last = images[-1]['id']
        end = int(np.searchsorted(detections.image_id, last, 'right'))
        rows, masks = _rows(detections.take(range(start, end)), iou_type)
        matching.update(images, entries, rows, segmentation=masks)
        start = end
    return matching.finalize()


def _match_at_once(
    annotations: Annotations, detections: Detections, iou_type: str
) -> hotcoco.LVISeval:
    """The same, with the masks of all images in memory."""
    content = hotcoco.COCO(annotations.content)
    rows, masks = _rows(detections, iou_type)
    found = content.load_res(rows, segmentation=masks)
    # `_numbered` has applied the cap.
    found = found.cap_detections_per_image(None)
    run = hotcoco.LVISeval(content, found, iou_type)
    run.evaluate()
    return run


def _numbered(
    annotations: Annotations, detections: Detections, max_dets: int | None
) -> Detections:
    """The best of each image, with numbers as ids, sorted by image."""
    if max_dets is not None:
        detections = detections.best_of_each('image_id', max_dets)
    numbered = detections._replace(
        image_id=positions('image', annotations.imgs, detections.image_id),
        category_id=positions(
            'category', annotations.cats, detections.category_id
        ),
    )
    return numbered.take(np.argsort(numbered.image_id, kind='stable'))


def _rows(
    detections: Detections, iou_type: str
) -> tuple[np.ndarray, list[dict] | None]:
    """Detections as hotcoco takes them: (D, 7), and masks."""
    box = detections.bbox
    if iou_type == 'segm':
        # Of the box, only the area is read then: that of the pixels.
        box = np.ones_like(box)
        box[:, 2] = hotcoco.mask.area(detections.masks)
    # As in lvis-api, what has no area does not count.
    kept = detections._replace(bbox=box).take(
        np.flatnonzero(box[:, 2] * box[:, 3] > 0)
    )
    columns = kept.image_id, kept.bbox, kept.score, kept.category_id
    return np.column_stack(columns), kept.masks if iou_type == 'segm' else None


def positions(what: str, known: Iterable[int], ids: np.ndarray) -> np.ndarray:
    """(D,) positions in the sorted ids that are known."""
    known = np.array(sorted(known))
    index = np.searchsorted(known, ids).clip(max=len(known) - 1)
    unknown = np.flatnonzero(known[index] != ids)
    if unknown.size:
        raise ValueError(
            f'detections: {unknown.size} are of an unknown {what}, first id '
            f'{ids[unknown[0]]}'
        )
    return index
