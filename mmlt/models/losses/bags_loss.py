"""Balanced group softmax.

Shape letters: R RoIs (or images), C classes, G groups of classes, K columns
of the classifier, S softmaxes: the G groups and that of the background.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.class_stats import ClassStats, check_by, check_thresholds
from mmlt.class_stats.receiver import ClassStatsModule
from mmlt.registry import MODELS

from .box_scores import check_labels, check_num_classes, percentage
from .group_softmax import GroupLayout, bags_loss, group_softmax
from .logit_adjusted_loss import check_reduction


def suggest_thresholds(
    stats: ClassStats, num_groups: int, by: str = 'instance'
) -> tuple[int, ...]:
    """Thresholds that put about as many classes into each group.

    Fewer than ``num_groups - 1`` if too many classes have the same count.

    Args:
        stats (ClassStats): Class statistics.
        num_groups (int): Number of groups G.
        by (str): ``'image'`` or ``'instance'`` counts.
    """
    count = np.sort(stats.count(by))
    edges = np.arange(1, num_groups) * len(count) // num_groups
    rising = np.unique(count[edges])
    # A threshold at the lowest count, or at 0, leaves nothing below.
    return tuple(int(edge) for edge in rising if edge > max(count[0], 0))


@MODELS.register_module()
class BAGSLoss(ClassStatsModule):
    r"""Balanced group softmax: one softmax for classes of like frequency.

    `BAGS <https://arxiv.org/abs/2006.10408>`_, equations 2 to 4:

    .. math::
        L = \sum_g \frac{1}{\max(\sum_i w_{gi}, 1)}
        \sum_i w_{gi} \, \mathrm{CE}(z_{g,i}, y_{g,i}), \qquad
        p(c) = \mathrm{softmax}_{g(c)}(z)_c \, p(\mathrm{foreground})

    Group 0 tells foreground from background and takes all RoIs. Each group
    of classes has a column "others"; it takes its own RoIs and a draw of the
    rest, see :func:`select_rois`. The classifier's columns are ``[C classes |
    G others | foreground, background]``, and the label of the background is
    C. Boxes are scored without renormalisation.

    It brings its number of columns, activation and accuracy along, so that
    it works in the stock box heads of MMDetection. For images, without a
    background, see :class:`mmlt.models.heads.BAGSHead`.

    Note:
        Each group divides by its own weights, as published; ``avg_factor``
        is therefore not used. The authors' code ignores ``label_weights``;
        here they weigh the RoIs, and an RoI of weight 0 is not drawn.

    Args:
        num_classes (int): Number of classes C, without the background.
        thresholds (Sequence[int]): Counts at which the next of the G =
            len(thresholds) + 1 groups starts. Defaults to (10, 100, 1000).
        others_ratio (float | None): beta: how many others are drawn for each
            RoI of a group. None takes all. Defaults to 8.0.
        background_group (bool): Have group 0. Without it, p(foreground) is
            left out and the background has the score :math:`\prod_g
            p_g(\mathrm{others})`. Defaults to True.
        others (bool): Have the columns "others". Without them a group learns
            from its own RoIs only, and ``others_ratio`` has no meaning.
            Defaults to True.
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`.
        by (str): Group by ``'instance'`` or ``'image'`` counts. Defaults to
            ``'instance'``.
        loss_weight (float): Weight of the loss.

    Raises:
        ValueError: If an argument is out of range, the thresholds do not
            rise, or the statistics have another number of classes.
    """

    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        num_classes: int,
        thresholds: Sequence[int] = (10, 100, 1000),
        others_ratio: float | None = 8.0,
        background_group: bool = True,
        others: bool = True,
        class_stats: Any = None,
        by: str = 'instance',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if num_classes < 1:
            raise ValueError(f'num_classes must be >= 1, got {num_classes}')
        if others_ratio is not None and not 0 <= others_ratio < math.inf:
            raise ValueError(
                'others_ratio must be finite and >= 0, or None for all '
                f'others, got {others_ratio}'
            )
        check_thresholds(thresholds)
        check_by(by)
        self.num_classes = num_classes
        self.thresholds = tuple(thresholds)
        self.num_groups = len(self.thresholds) + 1
        self.others_ratio = others_ratio
        self.background_group = background_group
        self.others = others
        self.by = by
        self.loss_weight = loss_weight
        self.group_names: tuple[str, ...] = ()
        self.group_sizes: tuple[int, ...] = ()
        empty = torch.zeros(0, dtype=torch.long)
        for name in ('order', 'rank', 'softmax', 'member', 'column', 'own'):
            self.register_buffer(name, empty.clone(), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Lay out the softmaxes and tabulate the targets of each label."""
        if stats.num_classes != self.num_classes:
            raise ValueError(
                f'BAGSLoss has num_classes={self.num_classes}, but the class '
                f'statistics hold {stats.num_classes} classes; set '
                'num_classes of the head and of its loss, or give the '
                'statistics of this data set'
            )
        groups = stats.groups(self.thresholds, self.by)
        self._warn_of_empty_groups(stats, groups)
        columns = self._columns_of_softmaxes(groups)
        order = np.concatenate(list(columns.values()))
        softmax = np.empty_like(order)
        column = np.empty((self.num_classes + 1, len(columns)), np.int64)
        own = np.zeros(column.shape, bool)
        for index, members in enumerate(columns.values()):
            softmax[members] = index
            # The first is what a class of another group is in this one.
            column[:, index] = members[0]
            classes = members[members < self.num_classes]
            column[classes, index] = classes
            own[classes, index] = True
        if self.background_group:
            column[-1, 0] = self._num_columns - 1
            own[:, 0] = True
        self.group_names = tuple(columns)
        self.group_sizes = tuple(len(each) for each in columns.values())
        tables = dict(
            order=order, rank=order.argsort(), softmax=softmax,
            member=np.equal.outer(np.arange(len(columns)), softmax)
            .astype(np.float32),
            column=column, own=own,
        )  # fmt: skip
        for name, table in tables.items():
            device = getattr(self, name).device
            setattr(self, name, torch.from_numpy(table).to(device))

    @property
    def layout(self) -> GroupLayout:
        """The softmaxes; raises if there are no statistics yet."""
        self.check_class_stats()
        return GroupLayout(
            self.group_sizes,
            self.order,
            self.rank,
            self.softmax,
            self.member,
        )

    @property
    def _num_columns(self) -> int:
        others = self.num_groups if self.others else 0
        return self.num_classes + others + 2 * self.background_group

    def _columns_of_softmaxes(self, groups: np.ndarray) -> dict:
        columns = {}
        if self.background_group:
            last = self._num_columns
            columns['group0'] = np.array([last - 2, last - 1])
        for group in range(self.num_groups):
            members = np.flatnonzero(groups == group)
            if self.others:
                members = np.append(self.num_classes + group, members)
            # Without a column there is no softmax either.
            if members.size:
                columns[f'group{group + 1}'] = members
        return columns

    def _warn_of_empty_groups(
        self, stats: ClassStats, groups: np.ndarray
    ) -> None:
        sizes = np.bincount(groups, minlength=self.num_groups)
        if (sizes == 0).any():
            better = suggest_thresholds(stats, self.num_groups, self.by)
            warnings.warn(
                f'BAGSLoss: thresholds={self.thresholds} leave groups '
                f'without classes (classes a group: {sizes.tolist()}); '
                f'thresholds={better} would spread them evenly',
                stacklevel=2,
            )

    def get_cls_channels(self, num_classes: int) -> int:
        """Columns of the classifier: C + G + 2, with all parts switched on.

        Args:
            num_classes (int): That of the head.
        """
        check_num_classes(self, num_classes)
        return self._num_columns

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores of the classes, and last that of the background.

        Args:
            cls_score (Tensor): (R, K) logits.

        Returns:
            Tensor: (R, C + 1) scores, whose rows need not sum to 1.
        """
        prob = group_softmax(cls_score, self.layout)
        classes = prob[:, : self.num_classes]
        if self.background_group:
            background = prob[:, -1:]
            classes = classes * prob[:, -2:-1]
        elif self.others:
            background = prob[:, self.num_classes :].prod(1, keepdim=True)
        else:
            background = torch.zeros_like(prob[:, :1])
        return torch.cat([classes, background], dim=1)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict:
        """Accuracies in percent, without waiting for the device.

        Args:
            cls_score (Tensor): (R, K) logits.
            labels (Tensor): (R,) with C for the background.

        Returns:
            dict[str, Tensor]: ``acc_classes``, the highest class score of
            the foreground RoIs, ``acc_group1`` ... of those of each group,
            and ``acc_foreground``, group 0.
        """
        with torch.no_grad():
            scores = self.get_activation(cls_score)[:, : self.num_classes]
            correct = scores.argmax(dim=1) == labels
            foreground = labels < self.num_classes
            result = {'acc_classes': percentage(correct, foreground)}
            own = self.own.index_select(0, labels)
            of_groups = percentage(correct.unsqueeze(1), own).unbind()
            for name, value in zip(self.group_names, of_groups, strict=True):
                if name != 'group0':
                    result[f'acc_{name}'] = value
            if self.background_group:
                found = cls_score[:, -2] > cls_score[:, -1]
                result['acc_foreground'] = percentage(
                    found == foreground, torch.ones_like(foreground)
                )
        return result

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            cls_score (Tensor): (R, K) logits.
            target (Tensor): (R,) labels, C for the background.
            weight (Tensor | None): (R,) weight of each RoI; those of weight
                0 take no part.
            avg_factor (float | None): Not used, see the class.
            reduction_override (str | None): ``'none'`` for (R,) losses,
                ``'sum'`` to leave out the division.

        Returns:
            dict[str, Tensor]: ``loss_cls_group0`` (background) and one loss
            for each group of classes, ``loss_cls_group1`` the rarest. Their
            sum is the loss.
        """
        layout = self.layout
        reduction = reduction_override or 'mean'
        check_reduction(reduction)
        self._check_input(cls_score, target)
        losses, weights = bags_loss(
            cls_score,
            self.column.index_select(0, target),
            self.own.index_select(0, target),
            layout,
            weight,
            # Without its column, a group cannot learn from the others.
            self.others_ratio if self.others else 0.0,
        )
        if reduction != 'none':
            losses = losses.sum(dim=0)
        factor = self.loss_weight
        if reduction == 'mean':
            factor = factor / weights.sum(dim=0).clamp(min=1)
        parts = (losses * factor).unbind(dim=-1)
        return {
            f'loss_cls_{name}': loss
            for name, loss in zip(self.group_names, parts, strict=True)
        }

    def _check_input(self, cls_score: Tensor, target: Tensor) -> None:
        check_labels(cls_score, target, self._num_columns)
        # On an accelerator this would wait for the device.
        if target.device.type != 'cpu' or torch.compiler.is_compiling():
            return
        if target.numel():
            low, high = (each.item() for each in target.aminmax())
            if low < 0 or high > self.num_classes:
                raise ValueError(
                    f'target holds labels from {low} to {high}; '
                    f'they must lie in [0, {self.num_classes}], the last '
                    'being the background'
                )
