"""Average precision of frequent and of rare classes.

C classes, N samples.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmlt.checks import check_share, check_switch
from mmlt.evaluation.functional import (
    class_average_precision,
    f1_scores,
    nanmean,
)
from mmlt.registry import METRICS

from .grouped import GroupedMetric, is_single_label
from .samples import check_predictions, label_vector

SINGLE_LABEL = (
    'gt_label holds one class for each sample, and the class statistics one '
    'for each training image: this is single-label data, use ShotAccuracy; '
    'class_stats of multi-label data need num_images, see docs/class_stats.md'
)


@METRICS.register_module()
class ShotMultiLabelMAP(GroupedMetric):
    """Mean average precision and F1 of multi-label data, in percent.

    The result holds ``mAP``, ``mAP_{group}`` for each group of classes,
    ``micro_f1`` and ``macro_f1``. AP is scikit-learn's; mmpretrain's
    ``AveragePrecision`` differs where scores are equal. The groups are by
    training images: tail ``n < 20``, medium ``20 <= n <= 100``, head
    ``n > 100``. A threshold is the first count of the next group, see
    :meth:`mmlt.class_stats.ClassStats.groups`: ``(21, 101)`` makes the tail
    ``n <= 20``, as the text of `Distribution-Balanced Loss
    <https://arxiv.org/abs/2007.09654>`_ has it, and ``'db_loss'``, which is
    ``(20, 100)``, the head ``n >= 100``, as its code has it.

    A class without a positive sample in the test set has no AP and no recall:
    it is left out of all means but ``micro_f1``, and named in a warning.
    Labels of -1 are not known: they count nowhere.

    Args:
        thr (float): A class is predicted for F1 if its score is at least
            this; a probability.
        thresholds (Sequence[int] | str): Rising training counts, each the
            first of the next group, or a name, see
            :meth:`mmlt.class_stats.ClassStats.groups`.
        group_names (Sequence[str]): Names of the groups, rarest first.
        strict (bool): Whether its score must be larger than ``thr``. So it is
            in the code of Distribution-Balanced Loss, where a logit of 0 is
            negative.
        **kwargs: ``class_stats``, ``by``, ``per_class``, ``collect_device``,
            ``prefix``: see :class:`GroupedMetric`.

    Raises:
        ValueError: If an argument is of no use.

    Example:
        >>> val_evaluator = dict(type='mmlt.ShotMultiLabelMAP')
    """

    default_prefix = 'multi-label'
    group_key = 'mAP_{}'

    def __init__(
        self,
        thr: float = 0.5,
        thresholds: Sequence[int] | str = (20, 101),
        group_names: Sequence[str] = ('tail', 'medium', 'head'),
        strict: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(thresholds, group_names, **kwargs)
        self.thr = check_share('thr', thr)
        self.strict = check_switch('strict', strict)

    def check_label(self, label: Any) -> None:
        """See the base."""
        known = label is not None
        if known and np.ndim(label) == 0 and is_single_label(self.class_stats):
            raise ValueError(SINGLE_LABEL)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep scores and labels of each sample.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``pred_score`` (C,), and
                ``gt_score`` (C,) of 0, 1 and -1 (not known) or ``gt_label``,
                the classes of the image.

        Raises:
            ValueError: If there are no class statistics, if they or the
                samples do not fit, or if the data are single-label.
        """
        self.check_class_stats()
        if not self.results:
            self._check_kind(data_samples)
        scores = [
            sample['pred_score'].float().cpu() for sample in data_samples
        ]
        for score in scores:
            self.check_num_classes('pred_score', score.numel())
        check_predictions('pred_score', scores)
        for sample, score in zip(data_samples, scores, strict=True):
            target = label_vector(sample, score)
            self.results.append((score.numpy(), target.numpy()))

    def compute_metrics(self, results: list) -> dict:
        """Reduce the results of all ranks.

        Args:
            results (list[tuple[np.ndarray, np.ndarray]]): (C,) scores and
                (C,) labels of each of N samples.

        Returns:
            dict[str, float]: Scores in percent.
        """
        if not results:
            return {}
        score, target = map(np.stack, zip(*results, strict=True))
        ap = class_average_precision(score, target)
        predicted = score > self.thr if self.strict else score >= self.thr
        positives = (target == 1).sum(0)
        self._warn_of_classes(positives == 0)
        return {
            'mAP': nanmean(ap),
            **self.group_results('AP', ap, positives),
            **f1_scores(predicted, target),
        }

    def _check_kind(self, data_samples: Sequence[dict]) -> None:
        # One class each, by chance, is all that a batch of few images has.
        if is_single_label(self.class_stats) and all(
            'gt_score' not in sample and sample['gt_label'].numel() == 1
            for sample in data_samples
        ):
            raise ValueError(SINGLE_LABEL)

    def _warn_of_classes(self, empty: np.ndarray) -> None:
        names = [str(self.class_names[k]) for k in np.flatnonzero(empty)]
        if names:
            print_log(
                f'ShotMultiLabelMAP: {len(names)} classes have no positive '
                f'sample in the test set and count in no mean: {names}',
                logger='current',
                level=logging.WARNING,
            )
