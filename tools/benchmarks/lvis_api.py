"""The LVIS protocol by lvis-api, the reference: slow, ``pip install lvis``.

:func:`load_annotations` and :func:`evaluate` take and give what those of
``mmlt.evaluation.lvis`` do, but for the checks of the annotation file.
"""

from pathlib import Path
from types import FunctionType, SimpleNamespace

import lvis
import numpy as np
from mmengine.utils import ProgressBar
from pycocotools import mask as mask_utils

from mmlt.evaluation.lvis import Curves, Detections


class Evaluation(lvis.LVISEval):
    """LVISEval that shows its progress and knows NumPy 1.24 and later.

    One of its functions uses ``np.float``, which NumPy has dropped: here it
    sees a NumPy that still has it, and nobody else does.
    """

    accumulate = FunctionType(
        lvis.LVISEval.accumulate.__code__,
        {
            **lvis.LVISEval.accumulate.__globals__,
            'np': SimpleNamespace(**{**vars(np), 'float': float}),
        },
    )

    def evaluate(self) -> None:
        self.category = None
        self.bar = ProgressBar(len(self.params.cat_ids))
        super().evaluate()

    def evaluate_img(self, img_id, cat_id, area_rng) -> dict | None:
        if cat_id != self.category:
            self.category = cat_id
            self.bar.update()
        return super().evaluate_img(img_id, cat_id, area_rng)


def load_annotations(path: str | Path) -> lvis.LVIS:
    annotations = lvis.LVIS(str(path))
    # As for hotcoco, a list that an image lacks is empty.
    for image in annotations.imgs.values():
        image.setdefault('neg_category_ids', [])
        image.setdefault('not_exhaustive_category_ids', [])
    return annotations


def evaluate(
    annotations: lvis.LVIS,
    detections: Detections,
    iou_type: str = 'bbox',
    max_dets: int | None = 300,
) -> Curves:
    found = lvis.LVISResults(
        annotations,
        as_records(annotations, detections, iou_type),
        -1 if max_dets is None else max_dets,
    )
    run = Evaluation(annotations, found, iou_type)
    run.evaluate()
    run.accumulate()
    return Curves(run.eval['precision'], run.eval['recall'])


def as_records(
    annotations: lvis.LVIS, detections: Detections, iou_type: str
) -> list[dict]:
    """Detections as lvis-api wants them: with a box or a mask, not both."""
    if not len(detections.score):
        # lvis-api cannot do without one; this finds nothing.
        shape = next(iter(annotations.imgs.values()))
        empty = np.zeros((shape['height'], shape['width'], 1), np.uint8, 'F')
        detections = Detections(
            np.array([shape['id']]),
            np.array([next(iter(annotations.cats))]),
            np.zeros((1, 4)),
            np.zeros(1),
            mask_utils.encode(empty),
        )
    shape_key = 'bbox' if iou_type == 'bbox' else 'segmentation'
    shapes = (
        detections.bbox.tolist() if iou_type == 'bbox' else detections.masks
    )
    return [
        {
            'image_id': image,
            'category_id': category,
            'score': score,
            shape_key: shape,
        }
        for image, category, score, shape in zip(
            detections.image_id.tolist(),
            detections.category_id.tolist(),
            detections.score.tolist(),
            shapes,
            strict=True,
        )
    ]
