"""The LVIS protocol: detections and annotations in, precision curves out.

`LVIS <https://arxiv.org/abs/1908.03195>`_, section 2: federated annotations,
so a detection counts only where its category is known to be present or
absent in the image. Two backends do the matching: hotcoco (compiled, fast)
and lvis-api (the reference). D detections, K categories sorted by id, T IoU
thresholds (0.5 to 0.95), R recall levels (0 to 1), A areas (all, small,
medium, large).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any, NamedTuple

import hotcoco
import numpy as np
from mmengine.utils import ProgressBar
from pycocotools import mask as mask_utils

GROUPS = ('r', 'c', 'f')
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
        order = np.lexsort((-self.score, key))
        _, start, count = np.unique(
            key[order], return_index=True, return_counts=True
        )
        rank = np.arange(len(order)) - np.repeat(start, count)
        return self.take(np.sort(order[rank < cap]))


class Curves(NamedTuple):
    """What a backend finds; -1 where there is no object to find.

    Args:
        precision (np.ndarray): (T, R, K, A) in [0, 1].
        recall (np.ndarray): (T, K, A) in [0, 1].
    """

    precision: np.ndarray
    recall: np.ndarray


class Backend(NamedTuple):
    """One implementation of the protocol.

    Args:
        load (Callable): Path of the annotation file to an object with the
            dicts ``imgs`` and ``cats``, id to content, in file order.
        evaluate (Callable): That object, :class:`Detections`, ``'bbox'`` or
            ``'segm'`` and the cap of detections an image (None: no cap), to
            :class:`Curves`.
    """

    load: Callable[[str], Any]
    evaluate: Callable[[Any, Detections, str, int | None], Curves]


def load_annotations(path: str | Path, backend: str = 'hotcoco') -> Any:
    """Read an annotation file of LVIS v0.5, v1 or the same format.

    Args:
        path (str | Path): The json file.
        backend (str): ``'hotcoco'`` or ``'lvis'``.

    Returns:
        The annotations as the backend wants them.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or not in the LVIS format.
    """
    if backend not in BACKENDS:
        raise ValueError(
            f'backend must be one of {sorted(BACKENDS)}, got {backend!r}'
        )
    if not Path(path).is_file():
        raise FileNotFoundError(f'ann_file: no file {str(path)!r}')
    try:
        annotations = BACKENDS[backend].load(str(path))
    except (ValueError, KeyError, TypeError, AssertionError) as error:
        raise ValueError(
            f'ann_file: {str(path)!r} is damaged, or not in the LVIS format: '
            f'{type(error).__name__}: {error}; download or write it again'
        ) from error
    _check_format(path, annotations)
    return annotations


def _check_format(path: str | Path, annotations: Any) -> None:
    images, categories = annotations.imgs, annotations.cats
    for what, entries in (('images', images), ('categories', categories)):
        if not entries:
            raise ValueError(
                f'ann_file: {str(path)!r} has no {what}; is it the annotation '
                'file of a labelled LVIS split?'
            )
    # hotcoco drops empty lists: that some images have none means nothing.
    if not any('neg_category_ids' in image for image in images.values()):
        raise ValueError(
            f'ann_file: {str(path)!r}: no image has neg_category_ids, the '
            'categories known to be absent; the LVIS protocol needs them, '
            "evaluate COCO annotations with mmdet's CocoMetric"
        )
    for key in ('name', 'frequency'):
        lacking = [i for i, entry in categories.items() if key not in entry]
        if lacking:
            raise ValueError(
                f'ann_file: {str(path)!r}: {len(lacking)} of '
                f'{len(categories)} categories lack {key!r}, first id '
                f'{lacking[0]}'
            )
    for index, category in annotations.cats.items():
        if category['frequency'] not in GROUPS:
            raise ValueError(
                f'ann_file: {str(path)!r}: category {index} has the '
                f'frequency {category["frequency"]!r}, expected one of '
                f'{GROUPS}'
            )


def average_precision(precision: np.ndarray) -> float:
    """Mean precision in [0, 1] over what is known; NaN if nothing is."""
    known = precision[precision > -1]
    return float(known.mean()) if known.size else float('nan')


def summarize(curves: Curves, frequency: np.ndarray) -> dict[str, float]:
    """The 13 numbers of lvis-api, in [0, 1]; NaN for what does not occur.

    Args:
        curves (Curves): Of a backend.
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
    return {name: average_precision(part) for name, part in result.items()}


def _load_hotcoco(path: str) -> Any:
    annotations = hotcoco.COCO(path)
    if annotations.get_ann_ids(area_rng=[-np.inf, 0]):
        # As in lvis-api, what has no area does not count.
        content = annotations.dataset
        content['annotations'] = [
            entry for entry in content['annotations'] if entry['area'] > 0
        ]
        annotations = hotcoco.COCO(content)
    return annotations


def _evaluate_hotcoco(
    annotations: Any,
    detections: Detections,
    iou_type: str,
    max_dets: int | None,
) -> Curves:
    if max_dets is not None:
        detections = detections.best_of_each('image_id', max_dets)
    if iou_type == 'bbox':
        area = detections.bbox[:, 2] * detections.bbox[:, 3]
    else:
        # That of the pixels, not of the box.
        area = np.asarray(hotcoco.mask.area(detections.masks), np.float64)
    # As in lvis-api, what has no area does not count.
    detections = detections.take(np.flatnonzero(area > 0))
    found = annotations.load_res(
        np.column_stack(
            [
                detections.image_id,
                detections.bbox,
                detections.score,
                detections.category_id,
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
    run = hotcoco.LVISeval(annotations, found, iou_type)
    run.evaluate()
    run.accumulate()
    curves = run.eval
    return Curves(
        np.asarray(curves['precision'])[..., 0],
        np.asarray(curves['recall'])[..., 0],
    )


def _load_lvis_api(path: str) -> Any:
    try:
        from lvis import LVIS
    except ImportError as error:
        raise ImportError(
            "backend='lvis' needs lvis-api: `pip install lvis`"
        ) from error
    annotations = LVIS(path)
    if any('neg_category_ids' in each for each in annotations.imgs.values()):
        # As for hotcoco, a list that an image lacks is empty.
        for image in annotations.imgs.values():
            image.setdefault('neg_category_ids', [])
            image.setdefault('not_exhaustive_category_ids', [])
    return annotations


def _evaluate_lvis_api(
    annotations: Any,
    detections: Detections,
    iou_type: str,
    max_dets: int | None,
) -> Curves:
    import lvis

    class Evaluation(lvis.LVISEval):
        """LVISEval that shows its progress and knows NumPy 1.24 and later.

        One of its functions uses ``np.float``, which NumPy has dropped: here
        it sees a NumPy that still has it, and nobody else does.
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

    found = lvis.LVISResults(
        annotations,
        _as_records(annotations, detections, iou_type),
        -1 if max_dets is None else max_dets,
    )
    run = Evaluation(annotations, found, iou_type)
    run.evaluate()
    run.accumulate()
    return Curves(run.eval['precision'], run.eval['recall'])


def _as_records(
    annotations: Any, detections: Detections, iou_type: str
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


def evaluate(
    annotations: Any,
    detections: Detections,
    iou_type: str = 'bbox',
    max_dets: int | None = 300,
    backend: str = 'hotcoco',
) -> Curves:
    """Match the detections with the annotations.

    Args:
        annotations: From :func:`load_annotations`, of the same backend.
        detections (Detections): Of all images.
        iou_type (str): ``'bbox'`` or ``'segm'``.
        max_dets (int | None): Detections that count of an image, the best
            of all categories. None: all.
        backend (str): ``'hotcoco'`` or ``'lvis'``.
    """
    return BACKENDS[backend].evaluate(
        annotations, detections, iou_type, max_dets
    )


BACKENDS = {
    'hotcoco': Backend(_load_hotcoco, _evaluate_hotcoco),
    'lvis': Backend(_load_lvis_api, _evaluate_lvis_api),
}
