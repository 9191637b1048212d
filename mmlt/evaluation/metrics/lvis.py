"""LVIS evaluation of detectors. D detections, K categories."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.evaluation import CocoMetric
from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from mmlt.checks import check_path, check_switch, is_size
from mmlt.evaluation.lvis import (
    Curves,
    Detections,
    error_types,
    evaluate,
    load_annotations,
    mean_precision,
    pooled,
    summarize,
)
from mmlt.evaluation.tables import class_table
from mmlt.registry import METRICS

from .detections import gather_detections
from .samples import check_predictions

# The kinds of errors that TIDE tells apart.
ERRORS = ('Cls', 'Loc', 'Both', 'Dupe', 'Bkg', 'Miss', 'FP', 'FN')


@METRICS.register_module()
class LVISMetric(CocoMetric):
    """Average precision by the protocol of LVIS, in percent.

    `LVIS <https://arxiv.org/abs/1908.03195>`_ v0.5, v1, or any annotation
    file in their format: each image has ``neg_category_ids`` and
    ``not_exhaustive_category_ids``, each category its ``frequency``.

    The result holds, for each of ``metric``, ``bbox_AP``, ``bbox_AP50``,
    ``bbox_AP75``, ``bbox_APs`` / ``APm`` / ``APl`` (by area), ``bbox_APr`` /
    ``APc`` / ``APf`` (rare, common, frequent) and ``bbox_AR@300`` /
    ``ARs@300`` / ``ARm@300`` / ``ARl@300``. What does not occur in the
    annotations, such as large objects, is left out.

    With ``max_dets_per_class`` the names end in ``_fixed``: AP_fixed of
    `Evaluating Large-Vocabulary Object Detectors
    <https://arxiv.org/abs/2102.01066>`_ takes ``max_dets=None,
    max_dets_per_class=10000``, and a detector that returns more than 300
    boxes an image. With ``pool`` there is ``bbox_AP_pool`` of the same boxes
    beside it: one ranking of all classes, see
    :func:`mmlt.evaluation.lvis.pooled`.

    Note:
        mmdet's LVISMetric returns fractions rounded to three digits, and -1
        for what does not occur.

    Args:
        ann_file (str): Annotations of the split that is tested.
        metric (str | Sequence[str]): ``'bbox'``, ``'segm'`` or both.
        classwise (bool): Whether to log a table of all categories, the most
            frequent in training first, with the objects that there were to
            find: of few, the AP says little.
        max_dets (int | None): Detections that count of an image, the best
            of all categories. None: all.
        max_dets_per_class (int | None): Detections that count of a category
            over all images. None: all.
        pool (bool): Whether to report AP_pool, too.
        error_types (bool): Whether to report what AP50 loses by each kind of
            error, as ``bbox_dAP_Cls`` and so on, see
            :func:`mmlt.evaluation.lvis.error_types`.
        format_only (bool): Only write the predictions.
        outfile_prefix (str | None): Write the predictions to
            ``{outfile_prefix}.bbox.json`` and ``.segm.json``.
        backend_args (dict | None): Of the file backend that reads
            ``ann_file``, see MMEngine.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
        prefix (str | None): Instead of ``'lvis'``.

    Raises:
        FileNotFoundError: If there is no ``ann_file``.
        ValueError: If it is damaged or an argument is of no use.

    Example:
        >>> val_evaluator = dict(
        ...     type='mmlt.LVISMetric',
        ...     ann_file='data/lvis_v1/annotations/lvis_v1_val.json',
        ...     metric=['bbox', 'segm'])
    """

    default_prefix = 'lvis'

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        classwise: bool = False,
        max_dets: int | None = 300,
        max_dets_per_class: int | None = None,
        pool: bool = False,
        error_types: bool = False,
        format_only: bool = False,
        outfile_prefix: str | None = None,
        backend_args: dict | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        metrics = [metric] if isinstance(metric, str) else metric
        if (
            not isinstance(metrics, Sequence)
            or not metrics
            or any(each not in ('bbox', 'segm') for each in metrics)
        ):
            raise ValueError(
                f"metric must be 'bbox', 'segm' or a list of both, got "
                f'{metric!r}'
            )
        for name, cap in (
            ('max_dets', max_dets),
            ('max_dets_per_class', max_dets_per_class),
        ):
            if cap is not None and not is_size(cap):
                raise ValueError(
                    f'{name} must be a whole number >= 1, or None for no '
                    f'cap, got {cap!r}'
                )
        check_path('ann_file', ann_file)
        if outfile_prefix is not None:
            check_path('outfile_prefix', outfile_prefix)
        check_switch('classwise', classwise)
        self.pool = check_switch('pool', pool)
        self.error_types = check_switch('error_types', error_types)
        if check_switch('format_only', format_only) and outfile_prefix is None:
            raise ValueError(
                'format_only=True writes predictions only: say where with '
                'outfile_prefix'
            )
        super().__init__(
            metric=list(metrics),
            classwise=classwise,
            format_only=format_only,
            outfile_prefix=outfile_prefix,
            backend_args=backend_args,
            collect_device=collect_device,
            prefix=prefix,
        )
        self.max_dets = max_dets
        self.max_dets_per_class = max_dets_per_class
        self.ann_file = ann_file
        with get_local_path(ann_file, backend_args=backend_args) as path:
            self._coco_api = load_annotations(path)
        # Labels are positions in this list, as in mmdet's LVIS data sets.
        self.cat_ids = list(self._coco_api.cats)
        self.img_ids = list(self._coco_api.imgs)

    @CocoMetric.dataset_meta.setter
    def dataset_meta(self, dataset_meta: dict) -> None:
        """What the data set is; known before the first step of training.

        Raises:
            ValueError: If ``ann_file`` has another number of classes.
        """
        named = (dataset_meta or {}).get('classes')
        if named is not None and len(named) != len(self.cat_ids):
            raise ValueError(
                f'The data set has {len(named)} classes, but '
                f'{self.ann_file!r} {len(self.cat_ids)} categories; give the '
                'data set metainfo=dict(classes=...) with all of them'
            )
        self._dataset_meta = dataset_meta

    def check_dataset(self, dataset: Any, best: Sequence[str]) -> None:
        """Raise before training if the metric cannot score a data set.

        Args:
            dataset: The validation set.
            best (Sequence[str]): Names by which the best checkpoint is
                chosen; those of other metrics are left to these.

        Raises:
            ValueError: If ``ann_file`` is of other images, or the result will
                lack one of the names, such as the AP of rare categories where
                none is rare.
        """
        self._check_names(best)
        if not hasattr(dataset, 'get_data_info'):
            return
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            self._check_image(info.get('img_id', self.img_ids[0]))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``img_id``, ``ori_shape`` and
                ``pred_instances``.

        Raises:
            ValueError: If ``ann_file`` does not know an image or a label, or
                predictions are not finite.
        """
        predicted = [sample['pred_instances'] for sample in data_samples]
        for name in ('bboxes', 'scores', 'mask_scores'):
            check_predictions(name, [p[name] for p in predicted if name in p])
        start = len(self.results)
        super().process(data_batch, data_samples)
        for _, prediction in self.results[start:]:
            self._check(prediction)
            if 'masks' in prediction:
                # MMEngine walks through lists and dicts when it gathers.
                masks = np.array(prediction['masks'], dtype=object)
                prediction['masks'] = masks

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluate the predictions of all ranks.

        Args:
            results (list): What :meth:`process` has kept of each image.

        Returns:
            dict[str, float]: In percent.
        """
        if not results:
            return {}
        predictions = [prediction for _, prediction in results]
        if self.outfile_prefix is not None:
            files = self.results2json(predictions, self.outfile_prefix)
            _log(f'Predictions are in {sorted(set(files.values()))}')
        if self.format_only:
            return {}
        scores = {}
        for iou_type in self.metrics:
            detections = gather_detections(predictions, self.cat_ids, iou_type)
            start = time.perf_counter()
            _log(
                f'LVIS {iou_type}: {len(detections.score)} detections in '
                f'{len(predictions)} images ...'
            )
            detections = self._capped(detections)
            curves = evaluate(
                self._coco_api, detections, iou_type, self.max_dets
            )
            scores.update(self._named_scores(curves, iou_type))
            if self.pool:
                key = f'{iou_type}_AP_pool'
                scores[key] = self._pooled_ap(detections, iou_type)
            if self.error_types:
                lost = error_types(
                    self._coco_api, detections, iou_type, self.max_dets
                )
                for kind, value in lost.items():
                    scores[f'{iou_type}_dAP_{kind}'] = 100 * value
            _log(f'LVIS {iou_type}: {time.perf_counter() - start:.1f} s')
            if self.classwise:
                self._log_table(curves, iou_type)
        return scores

    def _check(self, prediction: dict) -> None:
        """Raise now rather than after the whole epoch."""
        self._check_image(prediction['img_id'])
        labels, number = prediction['labels'], len(self.cat_ids)
        wrong = labels[(labels < 0) | (labels >= number)]
        if wrong.size:
            raise ValueError(
                f'The model predicts the label {wrong[0]}, but '
                f'{self.ann_file!r} has {number} categories, labels 0 to '
                f'{number - 1}; set num_classes of the heads'
            )
        if 'segm' in self.metrics and 'masks' not in prediction:
            raise ValueError(
                "metric='segm' needs masks, but the model predicts boxes "
                "only; use metric='bbox'"
            )

    def _check_image(self, img_id: int) -> None:
        if img_id not in self._coco_api.imgs:
            raise ValueError(
                f'ann_file: {self.ann_file!r} has no image of the id '
                f'{img_id!r}; it must be the annotation file of the data set '
                'that is tested'
            )

    def _capped(self, detections: Detections) -> Detections:
        if self.max_dets_per_class is None:
            return detections
        return detections.best_of_each('category_id', self.max_dets_per_class)

    def _pooled_ap(self, detections: Detections, iou_type: str) -> float:
        if self.max_dets is not None:
            detections = detections.best_of_each('image_id', self.max_dets)
        of_pairs = pooled(self._coco_api, detections)
        curves = evaluate(*of_pairs, iou_type, None)
        return 100 * mean_precision(curves.precision[..., 0])

    def _check_names(self, best: Sequence[str]) -> None:
        own = [key for key in best if key.startswith(f'{self.prefix}/')]
        if not own:
            return
        none = Detections(
            *np.zeros((2, 0), int), np.zeros((0, 4)), np.zeros(0)
        )
        # Of no boxes at all, names are those of what there is to find.
        curves = evaluate(self._coco_api, none, 'bbox', self.max_dets)
        names = [
            name
            for iou_type in self.metrics
            for name in self._named_scores(curves, iou_type)
        ]
        for iou_type in self.metrics:
            names += [f'{iou_type}_AP_pool'] * self.pool
            if self.error_types:
                names += [f'{iou_type}_dAP_{kind}' for kind in ERRORS]
        for key in own:
            if key.removeprefix(f'{self.prefix}/') not in names:
                raise ValueError(
                    f'save_best={key!r} is not in the results of '
                    f'{self.ann_file!r}, which will be {names}: what does '
                    'not occur in the annotations has no AP; choose by '
                    'another'
                )

    def _named_scores(self, curves: Curves, iou_type: str) -> dict:
        cats = self._coco_api.cats
        frequency = np.array([cats[i]['frequency'] for i in sorted(cats)])
        fixed = '' if self.max_dets_per_class is None else '_fixed'
        scores = {}
        for name, value in summarize(curves, frequency).items():
            if np.isnan(value):
                continue
            if name.startswith('AR'):
                name = f'{name}@{self.max_dets or "all"}'
            scores[f'{iou_type}_{name}{fixed}'] = 100 * value
        return scores

    def _log_table(self, curves: Curves, iou_type: str) -> None:
        cats = self._coco_api.cats
        categories = [cats[i] for i in sorted(cats)]
        images = [category.get('image_count', 0) for category in categories]
        objects = np.bincount(
            [e['category_id'] for e in self._coco_api.content['annotations']],
            minlength=len(cats),
        )
        precision = np.moveaxis(curves.precision[..., 0], 2, 0)
        table = class_table(
            f'{iou_type} AP of each class (%)',
            [category['name'] for category in categories],
            [category['frequency'] for category in categories],
            {'training images': images, 'objects here': objects},
            {
                'AP': [100 * mean_precision(p) for p in precision],
                'AP50': [100 * mean_precision(p[0]) for p in precision],
            },
        )
        _log(f'\n{table}')


def _log(message: str) -> None:
    print_log(message, logger='current', level=logging.INFO)
