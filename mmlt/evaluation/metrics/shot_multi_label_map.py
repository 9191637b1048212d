"""Average precision of frequent and of rare classes.

C classes, N samples.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log
from torch import Tensor

from mmlt.class_stats.receiver import HOW_TO_GIVE_STATS
from mmlt.evaluation.functional import group_means
from mmlt.registry import METRICS

from .shot_accuracy import ShotAccuracy


def average_precision(score: np.ndarray, target: np.ndarray) -> float:
    """Area under the precision-recall steps, ``sum_n (R_n - R_n-1) P_n``.

    The same as scikit-learn's ``average_precision_score``: samples of equal
    score make one step.

    Args:
        score (np.ndarray): (N,) scores.
        target (np.ndarray): (N,) 1 or 0.

    Returns:
        float: In [0, 1]; NaN without any positive sample.
    """
    order = np.argsort(-score)
    score, hit = score[order], target[order] == 1
    ends = np.flatnonzero(np.append(score[1:] != score[:-1], True)[: len(hit)])
    hits = np.cumsum(hit)[ends]
    if not len(hits) or not hits[-1]:
        return np.nan
    precision = hits / (ends + 1)
    recall_step = np.diff(hits, prepend=0) / hits[-1]
    return float((precision * recall_step).sum())


def class_average_precision(
    score: np.ndarray, target: np.ndarray
) -> np.ndarray:
    """Average precision of each class, of the labels that are known.

    Args:
        score (np.ndarray): (N, C) scores.
        target (np.ndarray): (N, C) of 0, 1 and -1 (not known).

    Returns:
        np.ndarray: (C,) in percent; NaN for a class without positives.
    """
    known = target >= 0
    columns = zip(score.T, target.T, known.T, strict=True)
    return 100 * np.array(
        [average_precision(s[k], t[k]) for s, t, k in columns]
    )


@METRICS.register_module()
class ShotMultiLabelMAP(ShotAccuracy):
    """Mean average precision and F1 of multi-label data, in percent.

    The result holds ``mAP``, ``mAP_{group}`` for each group of classes,
    ``micro_f1`` and ``macro_f1``. AP is scikit-learn's; mmpretrain's
    ``AveragePrecision`` differs where scores are equal. The groups are by
    training images: tail ``n < 20``, medium ``20 <= n <= 100``, head
    ``n > 100``. A threshold is the first count of the next group, see
    :meth:`mmlt.class_stats.ClassStats.groups`: ``(21, 101)`` makes the tail
    ``n <= 20`` and ``(20, 100)`` the head ``n >= 100``.

    A class without a positive sample in the test set has no AP and no recall:
    it is left out of all means but ``micro_f1``, and named in a warning.
    Labels of -1 are not known: they count nowhere.

    Args:
        thr (float): A class is predicted for F1 if its score is at least
            this; a probability.
        thresholds (Sequence[int]): Rising training counts, each the first of
            the next group.
        group_names (Sequence[str]): Names of the groups, rarest first; one
            more than ``thresholds``.
        class_stats (ClassStats | dict | list | str | None): Training
            frequencies, as in :class:`ShotAccuracy`.
        by (str): Group by ``'image'`` or ``'instance'`` counts.
        per_class (bool): Whether to log a table of all classes, sorted by
            training frequency.
        collect_device (str): ``'cpu'`` or ``'gpu'``, where ranks exchange
            results.
        prefix (str | None): Instead of ``'multi-label'``.

    Raises:
        ValueError: If ``thr``, ``thresholds``, ``group_names`` or ``by`` is
            of no use.

    Example:
        >>> val_evaluator = dict(type='mmlt.ShotMultiLabelMAP')
    """

    default_prefix = 'multi-label'

    def __init__(
        self,
        thr: float = 0.5,
        thresholds: Sequence[int] = (20, 101),
        group_names: Sequence[str] = ('tail', 'medium', 'head'),
        class_stats: Any = None,
        by: str = 'image',
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(
            thresholds=thresholds,
            group_names=group_names,
            class_stats=class_stats,
            by=by,
            per_class=per_class,
            collect_device=collect_device,
            prefix=prefix,
        )
        if not 0 <= thr <= 1:
            raise ValueError(f'thr must be in [0, 1], got {thr}')
        self.thr = thr

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep scores and labels of each sample.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``pred_score`` (C,), and
                ``gt_score`` (C,) of 0, 1 and -1 (not known) or ``gt_label``,
                the classes of the image.

        Raises:
            ValueError: If there are no class statistics, or they or the
                samples do not fit.
        """
        if self.class_stats is None:
            raise ValueError(
                f'ShotMultiLabelMAP has no class statistics: '
                f'{HOW_TO_GIVE_STATS}'
            )
        for sample in data_samples:
            score = sample['pred_score'].float().cpu()
            self._check_num_classes('pred_score', score.numel())
            if not score.isfinite().all():
                raise ValueError(
                    'pred_score is not finite; the training has diverged: '
                    'lower the learning rate or clip the gradients'
                )
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
        positives = (target == 1).sum(0)
        self._warn_of_classes(positives == 0)
        metrics = {'mAP': _mean(ap)}
        groups = self.class_stats.groups(self.thresholds, self.by)
        means = group_means(ap, groups, len(self.group_names))
        self._warn_of_empty_groups(np.isnan(means), 'test')
        for group in reversed(range(len(means))):
            if not np.isnan(means[group]):
                name = f'mAP_{self.group_names[group]}'
                metrics[name] = float(means[group])
        metrics |= f1_scores(score >= self.thr, target)
        if self.per_class:
            self._log_table(ap, groups, positives, heading='AP')
        return metrics

    def _warn_of_classes(self, empty: np.ndarray) -> None:
        names = (self.dataset_meta or {}).get('classes')
        names = names or self.class_stats.classes or range(len(empty))
        names = [str(names[k]) for k in np.flatnonzero(empty)]
        if names:
            print_log(
                f'ShotMultiLabelMAP: {len(names)} classes have no positive '
                f'sample in the test set and count in no mean: {names}',
                logger='current',
                level=logging.WARNING,
            )


def f1_scores(predicted: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """Micro and macro F1, ``2 TP / (2 TP + FP + FN)``, in percent.

    Args:
        predicted (np.ndarray): (N, C) bool.
        target (np.ndarray): (N, C) of 0, 1 and -1 (not known).

    Returns:
        dict: ``micro_f1`` over all labels, and ``macro_f1``, the mean over
        the classes with positive samples.
    """
    positive = target == 1
    hits = (predicted & positive).sum(0)
    # 2 TP + FP + FN = predicted + positive, of the known labels
    marked = (predicted & (target >= 0)).sum(0) + positive.sum(0)
    counted = positive.any(0)
    return {
        'micro_f1': 200 * float(hits.sum() / max(marked.sum(), 1)),
        'macro_f1': _mean(200 * hits[counted] / marked[counted]),
    }


def _mean(values: np.ndarray) -> float:
    """Mean without NaN; NaN if nothing is left."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float('nan')


def label_vector(sample: dict, score: Tensor) -> Tensor:
    """The labels of a sample of multi-label data.

    Args:
        sample (dict): With ``gt_score`` (C,) of 0, 1 and -1 (not known) or
            ``gt_label``, the classes of the image.
        score (Tensor): (C,) its scores.

    Returns:
        Tensor: (C,) int8 of 0, 1 and -1, on the CPU.

    Raises:
        ValueError: If the sample has other labels or classes.
    """
    if 'gt_score' in sample:
        given = sample['gt_score'].cpu()
        fits = given.shape == score.shape
        if not fits or not ((given.abs() == 1) | (given == 0)).all():
            raise ValueError(
                f'gt_score must hold 0, 1 or -1 (not known) for each of the '
                f'{score.numel()} classes, got {given.tolist()}'
            )
        return given.char()
    label = sample['gt_label'].cpu().long()
    if label.numel() and not 0 <= label.min() <= label.max() < score.numel():
        raise ValueError(
            f'gt_label must hold classes in [0, {score.numel()}), got '
            f'{label.tolist()}'
        )
    return score.new_zeros(score.shape).cpu().index_fill(0, label, 1).char()
