"""Recognition among images of unknown classes. N images, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric

from mmlt.checks import check_share
from mmlt.registry import METRICS

from .samples import check_predictions

UNKNOWN = -1


def open_set_f_measure(predicted: np.ndarray, labels: np.ndarray) -> float:
    """F-measure of known classes where others occur, too.

    ``2 TP / (2 TP + FP + FN)``, as in the code of OLTR: TP images of known
    classes that are recognised, FP those that are not (another class, or
    rejected), FN images of unknown classes that are not rejected.

    Args:
        predicted (np.ndarray): (N,) classes; -1 for rejected images.
        labels (np.ndarray): (N,) classes; -1 for unknown ones.

    Returns:
        float: In percent.
    """
    known = labels != UNKNOWN
    right = predicted == labels
    hits = 2 * (known & right).sum()
    return 100 * float(hits / max(hits + (~right).sum(), 1))


@METRICS.register_module()
class OpenSetFMeasure(BaseMetric):
    """F-measure and accuracies on a test set with unknown classes, in percent.

    The open-set setting of `Large-Scale Long-Tailed Recognition in an Open
    World <https://arxiv.org/abs/1904.05160>`_: an image whose largest
    probability is below a threshold is rejected. The result holds
    ``f_measure``, see :func:`open_set_f_measure`; ``known``, the share of the
    images of known classes that are recognised; and ``unknown``, the share of
    the others that are rejected.

    The test set needs images of classes that are not trained. Their label is
    -1, or C and above: a ``ConcatDataset`` of the known test images and of
    others, whose annotation file (``ann_file`` of MMPretrain's
    ``CustomDataset`` and ``ImageNet``) has lines such as ``ILSVRC2010/1.jpg
    -1``.

    Args:
        threshold (float): In [0, 1]. Defaults to 0.1, that of the paper.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
        prefix (str | None): Instead of ``'open-set'``.

    Raises:
        TypeError: If ``threshold`` is no number.
        ValueError: If it is out of range; at use if samples lack a label or
            scores, or no class is unknown.

    Example:
        >>> known = dict(type='ImageNet', ann_file='meta/test.txt')
        >>> others = dict(type='ImageNet', ann_file='meta/open.txt')
        >>> test_dataloader = dict(
        ...     dataset=dict(type='ConcatDataset', datasets=[known, others])
        ... )
        >>> test_evaluator = dict(type='mmlt.OpenSetFMeasure')
    """

    default_prefix = 'open-set'

    def __init__(
        self,
        threshold: float = 0.1,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.threshold = check_share('threshold', threshold)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the prediction and the label of each image.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``gt_label`` (1,) and
                ``pred_score`` (C,), probabilities.

        Raises:
            ValueError: If a sample lacks one of them.
        """
        for sample in data_samples:
            label = sample.get('gt_label')
            if label is None or label.numel() != 1:
                raise ValueError(
                    f'gt_label must be one class for each image, got {label}; '
                    'images of unknown classes have the label -1'
                )
            if 'pred_score' not in sample:
                raise ValueError(
                    'OpenSetFMeasure needs pred_score, the probabilities of '
                    f'the classes, got only {sorted(sample)}'
                )
        scores = [sample['pred_score'] for sample in data_samples]
        check_predictions('pred_score', scores)
        score = torch.stack(scores)
        largest, predicted = score.max(1)
        predicted[largest < self.threshold] = UNKNOWN
        labels = torch.cat([s['gt_label'].reshape(1) for s in data_samples])
        unknown = (labels < 0) | (labels >= score.size(1))
        labels = labels.masked_fill(unknown, UNKNOWN)
        self.results += zip(predicted.tolist(), labels.tolist(), strict=True)

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict:
        """Reduce the results of all ranks.

        Raises:
            ValueError: If no image has an unknown class.
        """
        if not results:
            return {}
        predicted, labels = np.array(results).T
        known = labels != UNKNOWN
        if known.all():
            raise ValueError(
                'OpenSetFMeasure: all labels of the test set are known '
                'classes; add images of others, whose label is -1'
            )
        right = predicted == labels
        metrics = {'f_measure': open_set_f_measure(predicted, labels)}
        if known.any():
            metrics['known'] = 100 * float(right[known].mean())
        metrics['unknown'] = 100 * float(right[~known].mean())
        return metrics
