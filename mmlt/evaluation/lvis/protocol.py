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
    if max_dets is not None:
        detections = detections.best_of_each('image_id', max_dets)
    if iou_type == 'bbox':
        area = detections.bbox[:, 2] * detections.bbox[:, 3]
    else:
        # That of the pixels, not of the box.
        area = np.asarray(hotcoco.mask.area(detections.masks), np.float64)
    # As in lvis-api, what has no area does not count.
    detections = detections.take(np.flatnonzero(area > 0))
    found = annotations.numbered.load_res(
        np.column_stack(
            [
                _positions('image', annotations.imgs, detections.image_id),
                detections.bbox,
                detections.score,
                _positions(
                    'category', annotations.cats, detections.category_id
                ),
            ]
        ),
        segmentation=detections.masks if iou_type == 'segm' else None,
    )
    if iou_type == 'segm':
        found.update_anns(
            ids=np.arange(len(detections.score)) + 1, area=area[area > 0]
        )
    # The cap was applied above; else the default one would be.
    found = found.cap_detections_per_image(None)
    run = hotcoco.LVISeval(annotations.numbered, found, iou_type)
    run.evaluate()
    run.accumulate()
    curves = run.eval
    return Curves(
        np.asarray(curves['precision'])[..., 0],
        np.asarray(curves['recall'])[..., 0],
    )


def _positions(what: str, known: Iterable[int], ids: np.ndarray) -> np.ndarray:
    """(D,) positions in the sorted ids that are known."""
    known = np.array(sorted(known))
    positions = np.searchsorted(known, ids).clip(max=len(known) - 1)
    unknown = np.flatnonzero(known[positions] != ids)
    if unknown.size:
        raise ValueError(
            f'detections: {unknown.size} are of an unknown {what}, first id '
            f'{ids[unknown[0]]}'
        )
    return positions
