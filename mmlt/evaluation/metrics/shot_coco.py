"""COCO evaluation of detectors by class frequency. C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import hotcoco
import numpy as np
from mmdet.evaluation import CocoMetric
from mmengine.logging import print_log

from mmlt.checks import check_path
from mmlt.evaluation.lvis import mean_precision
from mmlt.registry import METRICS

from .detections import gather_detections
from .grouped import GroupedMetric
from .samples import check_predictions

AREAS = {'s': 1, 'm': 2, 'l': 3}


@METRICS.register_module()
class ShotCocoMetric(GroupedMetric, CocoMetric):
    """Average precision by the protocol of COCO, also of groups of classes.

    For annotations of one's own in the format of COCO. The result holds, in
    percent, for each of ``metric``, ``bbox_mAP``, ``bbox_mAP_50``,
    ``bbox_mAP_75``, ``bbox_mAP_s`` / ``_m`` / ``_l`` (by area), and the means
    over the classes of each group, ``bbox_mAP_many`` / ``_medium`` /
    ``_few``. What does not occur in the annotations is left out.

    Note:
        mmdet's CocoMetric returns fractions rounded to three digits, and -1
        for what does not occur. hotcoco does the matching here.

    Args:
        ann_file (str): Annotations of the split that is tested.
        metric (str | Sequence[str]): ``'bbox'``, ``'segm'`` or both.
        thresholds (Sequence[int] | str): Rising training counts, each the
            first of the next group, or a name, see
            :meth:`mmlt.class_stats.ClassStats.groups`.
        group_names (Sequence[str]): Names of the groups, rarest first.
        backend_args (dict | None): Of the file backend that reads
            ``ann_file``, see MMEngine.
        **kwargs: ``class_stats``, ``by``, ``per_class``, ``collect_device``,
            ``prefix``: see :class:`GroupedMetric`.

    Raises:
        FileNotFoundError: If there is no ``ann_file``.
        ValueError: If an argument is of no use.

    Example:
        >>> val_evaluator = dict(
        ...     type='mmlt.ShotCocoMetric', ann_file='data/mine/val.json')
    """

    default_prefix = 'coco'
    count_name = 'objects here'

    def __init__(
        self,
        ann_file: str,
        metric: str | Sequence[str] = 'bbox',
        thresholds: Sequence[int] | str = (20, 101),
        group_names: Sequence[str] = ('few', 'medium', 'many'),
        backend_args: dict | None = None,
        **kwargs: Any,
    ) -> None:
        check_path('ann_file', ann_file)
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
        super().__init__(
            thresholds,
            group_names,
            ann_file=ann_file,
            metric=list(metrics),
            backend_args=backend_args,
            **kwargs,
        )
        self.ann_file = ann_file
        self.group_key = f'{metrics[0]}_mAP_{{}}'

    def check_kind(self, dataset: Any) -> None:
        """Any data set with boxes will do."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of one batch.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``img_id``, ``ori_shape`` and
                ``pred_instances``.

        Raises:
            ValueError: If there are no class statistics, ``ann_file`` does
                not know an image, or predictions are not finite.
        """
        self.check_class_stats()
        for sample in data_samples:
            if sample['img_id'] not in self._coco_api.imgs:
                raise ValueError(
                    f'ann_file: {self.ann_file!r} has no image of the id '
                    f'{sample["img_id"]!r}; it must be the annotation file of '
                    'the data set that is tested'
                )
        predicted = [sample['pred_instances'] for sample in data_samples]
        for name in ('bboxes', 'scores'):
            check_predictions(name, [each[name] for each in predicted])
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Evaluate the predictions of all ranks.

        Args:
            results (list): What :meth:`process` has kept of each image.

        Returns:
            dict[str, float]: In percent.
        """
        if not results:
            return {}
        classes = (self.dataset_meta or {}).get('classes', [])
        self.cat_ids = self._coco_api.get_cat_ids(cat_names=classes)
        self.check_num_classes(repr(self.ann_file), len(self.cat_ids))
        predictions = [prediction for _, prediction in results]
        scores = {}
        for iou_type in self.metrics:
            precision = self._precision(predictions, iou_type)
            scores |= self._named_scores(precision, iou_type)
        return scores

    def _precision(self, predictions: list[dict], iou_type: str) -> np.ndarray:
        """(10, 101, C, 4) precision by IoU, recall, label and area."""
        found = gather_detections(predictions, self.cat_ids, iou_type)
        print_log(
            f'COCO {iou_type}: {len(found.score)} detections in '
            f'{len(predictions)} images ...',
            logger='current',
        )
        box = found.bbox
        if found.masks is not None:
            # Of the box, only the area is read then: that of the pixels.
            box = np.ones_like(box)
            box[:, 2] = hotcoco.mask.area(found.masks)
        content = hotcoco.COCO(self._coco_api.dataset)
        rows = np.column_stack(
            (found.image_id, box, found.score, found.category_id)
        )
        run = hotcoco.COCOeval(
            content, content.load_res(rows, segmentation=found.masks), iou_type
        )
        run.params.cat_ids = sorted(self.cat_ids)
        run.evaluate()
        run.accumulate()
        label = np.searchsorted(sorted(self.cat_ids), self.cat_ids)
        # Of the caps of detections an image, the last one.
        return np.asarray(run.eval['precision'])[..., -1][:, :, label]

    def _named_scores(
        self, precision: np.ndarray, iou_type: str
    ) -> dict[str, float]:
        everywhere = precision[..., 0]
        parts = {
            'mAP': everywhere,
            'mAP_50': everywhere[0],
            'mAP_75': everywhere[5],
            **{f'mAP_{name}': precision[..., k] for name, k in AREAS.items()},
        }
        means = {name: mean_precision(part) for name, part in parts.items()}
        scores = {
            f'{iou_type}_{name}': 100 * value
            for name, value in means.items()
            if not np.isnan(value)
        }
        of_class = [
            100 * mean_precision(everywhere[..., k])
            for k in range(len(self.cat_ids))
        ]
        objects = [
            len(self._coco_api.get_ann_ids(cat_ids=index))
            for index in self.cat_ids
        ]
        self.group_key = f'{iou_type}_mAP_{{}}'
        return scores | self.group_results(
            f'{iou_type} AP', np.array(of_class), np.array(objects)
        )
