"""Accuracy of frequent and of rare classes. B batch, C classes, N samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.checks import check_list, is_size
from mmlt.class_stats import ClassStats
from mmlt.evaluation.functional import nanmean, per_class_recall
from mmlt.registry import METRICS

from .grouped import GroupedMetric, is_single_label
from .samples import check_predictions


@METRICS.register_module()
class ShotAccuracy(GroupedMetric):
    """Top-k, balanced, and many- / medium- / few-shot accuracy in percent.

    Groups follow the text of `Large-Scale Long-Tailed Recognition in an Open
    World <https://arxiv.org/abs/1904.05160>`_ and the code of `Decoupling
    Representation and Classifier <https://arxiv.org/abs/1910.09217>`_
    (``thresholds='classifier_balancing'``): more than 100, 20 to 100, and
    fewer than 20 training images. The code of the former has 100 or more, 21
    to 99, and 20 or fewer: ``thresholds='oltr'``.

    The result holds ``top{k}``, ``balanced`` (mean recall of the classes) and
    one entry for each group: the **mean of its classes' accuracies**, as the
    literature has it, not the accuracy over its samples. These means are of
    top-1 accuracies and over the classes that occur in the test set. A group
    without such a class is left out of the result, with a warning.

    Args:
        topk (int | Sequence[int]): Which top-k accuracies to report.
        thresholds (Sequence[int] | str): Rising training counts, each the
            first of the next group, or a name, see
            :meth:`mmlt.class_stats.ClassStats.groups`.
        group_names (Sequence[str]): Names of the groups, rarest first.
        **kwargs: ``class_stats``, ``by``, ``per_class``, ``collect_device``,
            ``prefix``: see :class:`GroupedMetric`.

    Raises:
        ValueError: If an argument is of no use.

    Example:
        >>> val_evaluator = dict(type='mmlt.ShotAccuracy', topk=(1, 5))
    """

    default_prefix = 'accuracy'

    def __init__(
        self,
        topk: int | Sequence[int] = (1,),
        thresholds: Sequence[int] | str = (20, 101),
        group_names: Sequence[str] = ('few', 'medium', 'many'),
        **kwargs: Any,
    ) -> None:
        self.topk = tuple(topk) if isinstance(topk, Sequence) else (topk,)
        if not self.topk or not all(map(is_size, self.topk)):
            raise ValueError(
                f'topk must hold whole numbers >= 1, got {topk!r}'
            )
        # The other entries of the result.
        taken = {'balanced', *(f'top{k}' for k in self.topk)}
        if taken & set(check_list('group_names', group_names)):
            raise ValueError(
                f'group_names must differ from {sorted(taken)}, got '
                f'{group_names}'
            )
        super().__init__(thresholds, group_names, **kwargs)

    def on_class_stats(self, stats: ClassStats) -> None:
        """See the base.

        Raises:
            ValueError: If there are fewer classes than ``topk``, or the
                statistics are not those of single-label data.
        """
        if max(self.topk) > stats.num_classes:
            raise ValueError(
                f'topk={self.topk} needs more than the {stats.num_classes} '
                'classes of the class statistics; give smaller ones'
            )
        if not is_single_label(stats):
            raise ValueError(
                'ShotAccuracy is for single-label data, but the class '
                f'statistics hold {stats.image_count.sum()} labels for '
                f'num_images={stats.num_images}; use ShotMultiLabelMAP for '
                'multi-label data, and LVISMetric or ShotCocoMetric for a '
                'detector'
            )
        super().on_class_stats(stats)

    def check_label(self, label: Any) -> None:
        """See the base."""
        if label is not None and np.asarray(label).size != 1:
            raise ValueError(_not_one_class(label))

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the label and its position in the ranking of each sample.

        Args:
            data_batch: Not used.
            data_samples (Sequence[dict]): With ``gt_label`` (1,) and either
                ``pred_score`` (C,) or, for ``topk=1``, ``pred_label`` (1,).

        Raises:
            ValueError: If there are no class statistics, or they or the
                samples do not fit.
        """
        self.check_class_stats()
        target = torch.cat([_label(sample) for sample in data_samples])
        depth = max(self.topk)
        if 'pred_score' in data_samples[0]:
            scores = [item['pred_score'] for item in data_samples]
            check_predictions('pred_score', scores)
            score = torch.stack(scores)
            self.check_num_classes('pred_score', score.size(1))
            ranking = score.topk(depth).indices
        elif self.topk == (1,):
            ranking = torch.stack(
                [item['pred_label'].reshape(1) for item in data_samples]
            )
        else:
            raise ValueError(
                f'topk={self.topk} needs pred_score, but the model predicts '
                'pred_label only; use topk=1'
            )
        hit = ranking == target.to(ranking.device)[:, None]
        position = torch.where(hit.any(1), hit.int().argmax(1), depth)
        self.results += zip(target.tolist(), position.tolist(), strict=True)

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict:
        """Reduce the results of all ranks.

        Args:
            results (list[tuple[int, int]]): Label and its position in the
                ranking of each of N samples.

        Returns:
            dict[str, float]: Accuracies in percent.
        """
        if not results:
            return {}
        labels, position = np.array(results).T
        num_classes = self.class_stats.num_classes
        recall = 100 * per_class_recall(position < 1, labels, num_classes)
        test_count = np.bincount(labels, minlength=num_classes)
        metrics = {
            f'top{k}': 100 * float((position < k).mean()) for k in self.topk
        }
        metrics['balanced'] = nanmean(recall)
        return metrics | self.group_results('accuracy', recall, test_count)


def _label(sample: dict) -> Tensor:
    """(1,) label of a sample."""
    label = sample.get('gt_label')
    if label is None or label.numel() != 1:
        raise ValueError(_not_one_class(label))
    return label.reshape(1)


def _not_one_class(label: Any) -> str:
    return (
        f'gt_label must be one class for each sample, got {label}; '
        'ShotAccuracy is for single-label data with annotations'
    )
