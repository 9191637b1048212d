"""Balanced group softmax.

Shape letters: R RoIs (or images), C classes, G groups of classes, K columns
of the classifier, S softmaxes: the G groups and that of the background.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.checks import check_number, check_switch
from mmlt.class_stats import ClassStats, check_by, check_thresholds
from mmlt.registry import MODELS

from .accuracy import percentage
from .base import BoxLoss, in_full_precision
from .checks import check_reduction
from .group_softmax import (
    GroupLayout,
    bags_loss,
    group_log_softmax,
    group_max,
)


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


def complete_config(
    loss: dict | None, owner: str, other: str, **defaults: Any
) -> dict:
    """The config of the ``BAGSLoss`` of a head.

    Args:
        loss (dict | None): What the head was given; None for the defaults.
        owner (str): Argument and head, for messages.
        other (str): The head to use for other losses.
        **defaults: Arguments of the loss, where ``loss`` leaves them out.

    Raises:
        TypeError: If ``loss`` is another loss.
    """
    loss = loss or dict(type='mmlt.BAGSLoss')
    given = loss.get('type') if isinstance(loss, dict) else loss
    kind = MODELS.get(given) if isinstance(given, str) else given
    if kind is not BAGSLoss:
        raise TypeError(
            f'{owner} must be of the type mmlt.BAGSLoss, got '
            f'{given}; use {other} for other losses'
        )
    return {**defaults, **loss}


@MODELS.register_module()
class BAGSLoss(BoxLoss):
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
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
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
            :class:`~mmlt.models.losses.base.BoxLoss`.
        by (str): Group by ``'instance'`` or ``'image'`` counts. Defaults to
            ``'instance'``.
        loss_weight (float): Weight of the loss, >= 0.

    Raises:
        TypeError: If a number is none, or a switch neither True nor False.
        ValueError: If an argument is out of range, the thresholds do not
            rise, or the head or the statistics have another number of
            classes.
    """

    in_dense_heads = False

    def __init__(
        self,
        num_classes: int | None = None,
        thresholds: Sequence[int] = (10, 100, 1000),
        others_ratio: float | None = 8.0,
        background_group: bool = True,
        others: bool = True,
        class_stats: Any = None,
        by: str = 'instance',
        loss_weight: float = 1.0,
    ) -> None:
        if others_ratio is not None:
            check_number('others_ratio', others_ratio)
        check_by(by)
        self.thresholds = check_thresholds(thresholds)
        self.num_groups = len(self.thresholds) + 1
        self.others_ratio = others_ratio
        self.background_group = check_switch(
            'background_group', background_group
        )
        self.others = check_switch('others', others)
        self.by = by
        self.group_names: tuple[str, ...] = ()
        self.group_sizes: tuple[int, ...] = ()
        super().__init__(num_classes, class_stats, loss_weight=loss_weight)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Lay out the softmaxes and tabulate the targets of each label.

        Beside ``order`` and ``softmax`` of the :class:`GroupLayout`, these
        are ``column`` (C + 1, S), the column that a label has in a softmax,
        and ``own`` (C + 1, S), whether it is the label's own.
        """
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
            column[-1, 0] = self.num_columns - 1
            own[:, 0] = True
        self.group_names = tuple(columns)
        self.group_sizes = tuple(len(each) for each in columns.values())
        return dict(order=order, softmax=softmax, column=column, own=own)

    @property
    def layout(self) -> GroupLayout:
        """The softmaxes; raises if there are no statistics yet."""
        self.check_class_stats()
        return GroupLayout(self.group_sizes, self.order, self.softmax)

    @property
    def num_columns(self) -> int:
        """C + G + 2, with all parts switched on."""
        others = self.num_groups if self.others else 0
        return self.num_classes + others + 2 * self.background_group

    def _columns_of_softmaxes(self, groups: np.ndarray) -> dict:
        columns = {}
        if self.background_group:
            last = self.num_columns
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

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores of the classes, and last that of the background.

        Args:
            cls_score (Tensor): (R, K) logits.

        Returns:
            Tensor: (R, C + 1) scores, whose rows need not sum to 1.
        """
        scores = in_full_precision(cls_score)
        prob = group_log_softmax(scores, self.layout).exp()
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
        """Accuracies within the softmaxes, in percent.

        An RoI is right if no column of its group has a higher logit than its
        class has, which needs no softmax.

        Args:
            cls_score (Tensor): (R, K) logits.
            labels (Tensor): (R,) with C for the background.

        Returns:
            dict[str, Tensor]: ``acc_group1`` ... of the RoIs of each group,
            ``acc_classes`` of all of these, and ``acc_foreground``, group 0.
        """
        with torch.no_grad():
            column = self.column.index_select(0, labels)
            own = self.own.index_select(0, labels)
            best = group_max(cls_score, self.layout)
            correct = cls_score.gather(1, column) >= best
            groups = slice(int(self.background_group), None)
            result = {
                'acc_classes': percentage(
                    (correct & own)[:, groups].any(dim=1),
                    own[:, groups].any(dim=1),
                )
            }
            accuracy = percentage(correct, own).unbind()
        for name, value in zip(self.group_names, accuracy, strict=True):
            key = 'foreground' if name == 'group0' else name
            result[f'acc_{key}'] = value
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
        reduction = reduction_override or self.reduction
        check_reduction(reduction)
        losses, weights = bags_loss(
            self.checked(cls_score, target),
            self.column.index_select(0, target),
            self.own.index_select(0, target),
            self.layout,
            weight,
            # Without its column, a group cannot learn from the others.
            self.others_ratio if self.others else 0.0,
        )
        self.is_first_batch = False
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
