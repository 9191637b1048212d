"""What losses inherit, so that the file of a loss holds its formula only.

A subclass writes ``element_loss(cls_score, target)`` and, if it needs class
frequencies, ``tables(stats)``. The base does the rest: statistics, checks,
precision, weight, reduction, ``avg_factor`` and ``loss_weight``.

Shape letters: B batch (R RoIs in a detector), C classes, K columns of the
classifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule
from mmlt.models.checks import check_number, check_size

from .accuracy import class_accuracy
from .checks import (
    check_boxes,
    check_distributions,
    check_range,
    check_reduction,
)
from .class_weights import check_beta, check_class_weight, class_weights


class ElementLoss(ClassStatsModule):
    """A loss of many elements, which are weighted and reduced.

    A subclass sets its own arguments before it calls this ``__init__``, which
    computes the tables. The values of targets are checked in the first batch,
    on every device alike; later this would wait for it.

    Args:
        class_stats (ClassStats | dict | list | str | None): See
            :meth:`mmlt.class_stats.ClassStats.from_any`. Defaults to None:
            the hook or the checkpoint gives them.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss, >= 0.

    Raises:
        TypeError: If ``loss_weight`` is no number.
        ValueError: For an unknown reduction, a number out of range, or
            statistics of no use.
    """

    def __init__(
        self,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction = reduction
        self.loss_weight = check_number('loss_weight', loss_weight)
        self.is_first_batch = True
        # A buffer, so that no value is compiled in.
        reweights = torch.tensor(True)
        self.register_buffer('reweights', reweights, persistent=False)
        self.init_class_stats(class_stats)

    def tables(self, stats: ClassStats) -> dict[str, Any]:
        """What the formula takes from the class frequencies.

        Returns:
            dict[str, np.ndarray | Tensor]: Each becomes a buffer of that
            name, on the device of the module and not in checkpoints.

        Raises:
            ValueError: If the statistics are of no use.
        """
        return {}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """The loss of each element: the formula.

        Args:
            cls_score (Tensor): (B, K) logits, float32 or float64.
            target (Tensor): As the base says.
        """
        raise NotImplementedError

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise if the shapes do not fit each other."""
        raise NotImplementedError

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for labels that do not exist; may wait for the device."""

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Targets as the formula wants them, and weights of the elements."""
        return target, weight

    @property
    def can_defer(self) -> bool:
        """Whether it has class weights: uses :meth:`unless_deferred`."""
        return False

    def unless_deferred(self, class_weight: Tensor) -> Tensor:
        """The weights, or ones while ``DeferredReweightHook`` says so."""
        return torch.where(self.reweights, class_weight, 1.0)

    @property
    def needs_class_stats(self) -> bool:
        """Whether it raises without class statistics."""
        return type(self).tables is not ElementLoss.tables

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the tables."""
        for name, table in self.tables(stats).items():
            self.keep_table(name, table)

    def keep_table(self, name: str, table: Any) -> None:
        """Keep one of them as a buffer."""
        table = torch.as_tensor(table)
        known = getattr(self, name, None)
        if table.is_floating_point():
            # Unless the module has been moved to another precision.
            dtype = torch.float32 if known is None else known.dtype
            table = table.to(dtype)
        table = table.to(self.num_images.device)
        self.register_buffer(name, table, persistent=False)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            cls_score (Tensor): (B, K) raw logits, which stay as they are.
            target (Tensor): As the base says.
            weight (Tensor | None): (B,) weight of each sample, or (B, C).
            avg_factor (float | None): Divide the sum by this instead of the
                number of elements; only with the reduction ``'mean'``.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            Tensor: 0-dim, or all elements for the reduction ``'none'``.

        Raises:
            ValueError: If there are no class statistics, if scores, targets
                and statistics do not fit each other, or for ``avg_factor``
                with the reduction ``'sum'``.
        """
        scores = self.checked(cls_score, target)
        target, weight = self.prepare(scores, target, weight)
        loss = self.element_loss(scores, target)
        self.is_first_batch = False
        return self.reduced(loss, weight, avg_factor, reduction_override)

    def reduced(
        self,
        loss: Tensor,
        weight: Tensor | None,
        avg_factor: float | None,
        reduction_override: str | None,
    ) -> Tensor:
        """Weigh and reduce the elements, as :meth:`forward` says."""
        if weight is not None and weight.dim() < loss.dim():
            weight = weight.unsqueeze(1)
        reduction = reduction_override or self.reduction
        check_reduction(reduction)
        if avg_factor is not None and reduction == 'sum':
            raise ValueError(
                f"avg_factor={avg_factor} needs the reduction 'mean'; 'sum' "
                'divides by nothing'
            )
        # Heads give the size of the batch, which is 0 for an empty one.
        if reduction == 'mean' and (avg_factor is None or not loss.numel()):
            avg_factor = max(loss.numel(), 1)
        return self.loss_weight * weight_reduce_loss(
            loss, weight, reduction, avg_factor
        )

    def checked(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """The scores, in float32 at least; raises as :meth:`forward`."""
        if self.needs_class_stats:
            self.check_class_stats()
        self.check_target(cls_score, target)
        if not torch.compiler.is_compiling() and self.is_first_batch:
            self.check_values(cls_score, target)
        return in_full_precision(cls_score)


class SoftmaxLoss(ElementLoss):
    """Base of the losses on softmax logits.

    Logits are (B, C), or (B, C + 1) in a detector of MMDetection, with the
    background last. Targets are (B,) labels, or (B, K) distributions over
    the columns (mixup, label smoothing). ``element_loss`` returns (B,) and is
    linear in the target: a distribution has the mean loss of its classes.

    Args:
        class_stats (ClassStats | dict | list | str | None): See
            :class:`ElementLoss`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        class_weight (str | Sequence[float] | None): Weight of each label:
            ``'inverse'``, ``'inverse_sqrt'`` or ``'effective_number'``, see
            :func:`~mmlt.models.losses.class_weights.class_weights`, or (C,)
            numbers >= 0, taken as they are. The background of a detector has
            the weight 1. Defaults to None: all have.
        beta (float): Of ``'effective_number'``, in [0, 1).
        average (str): What the mean is over: ``'samples'``, as in the
            libraries of OpenMMLab, or ``'weights'``, as in PyTorch: the
            weights of the labels are divided by their mean over the batch.

    Raises:
        TypeError: If ``class_weight`` or ``beta`` is of another type.
        ValueError: For an unknown name, or a number out of range.
    """

    def __init__(
        self,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        class_weight: str | Sequence[float] | None = None,
        beta: float = 0.9999,
        average: str = 'samples',
    ) -> None:
        if average not in ('samples', 'weights'):
            raise ValueError(
                f"average must be 'samples' or 'weights', got {average!r}"
            )
        self.class_weight = check_class_weight(class_weight)
        self.beta = check_beta(beta)
        self.average = average
        super().__init__(None, reduction, loss_weight)
        if isinstance(self.class_weight, list):
            given = torch.tensor(self.class_weight, dtype=torch.float32)
            self.register_buffer('label_weight', given, persistent=False)
        # Last, since they have to have as many classes as there are weights.
        self.init_class_stats(class_stats)

    @property
    def can_defer(self) -> bool:
        """Whether it has class weights."""
        return self.class_weight is not None

    @property
    def needs_class_stats(self) -> bool:
        """Whether it raises without class statistics."""
        # Not by super(), which torch.compile does not follow to a property.
        has_tables = type(self).tables is not ElementLoss.tables
        return has_tables or isinstance(self.class_weight, str)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the tables, and the weights of the labels."""
        kind = self.class_weight
        if isinstance(kind, list) and len(kind) != stats.num_classes:
            raise ValueError(
                f'class_weight has {len(kind)} numbers, but the class '
                f'statistics hold {stats.num_classes} classes; give one '
                'number for each class'
            )
        super().on_class_stats(stats)
        if isinstance(kind, str):
            weight = class_weights(stats, kind, self.beta)
            self.keep_table('label_weight', weight)

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """Weigh the labels; a distribution takes the weights itself."""
        if self.class_weight is None:
            return target, weight
        of_class = with_background(self.label_weight, cls_score.size(1), 1.0)
        of_class = self.unless_deferred(of_class)
        weight = torch.ones_like(cls_score[:, 0]) if weight is None else weight
        if target.dim() == 1:
            of_sample = of_class[target]
            weighted = weight * of_sample
        else:
            target = target * of_class
            of_sample = target.sum(dim=1)
            weighted = weight
        if self.average == 'weights':
            total = (weight * of_sample).sum()
            tiny = torch.finfo(total.dtype).tiny
            weighted = weighted * weight.sum() / total.clamp_min(tiny)
        return target, weighted

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise unless these are labels or distributions."""
        soft = target.dim() == 2 and target.shape == cls_score.shape
        if not soft and target.shape != cls_score.shape[:1]:
            raise ValueError(
                f'target has the shape {tuple(target.shape)}; cls_score '
                f'{tuple(cls_score.shape)} needs (B,) labels or (B, C) scores'
            )

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for a label without a column, or several labels a row."""
        columns = cls_score.size(1)
        if target.dim() == 1:
            check_range(target, 0, columns - 1, f'[0, {columns})')
        else:
            check_distributions(target)


class BoxLoss(ElementLoss):
    """Base of the losses of box heads that bring their scores along.

    MMDetection's box heads ask such a loss for the columns of the
    classifier, the scores of boxes and the accuracies to log. Here these are
    C sigmoids, and the background is the RoI without a positive class.
    Targets are (R,) labels, C for the background.

    A subclass that counts while it trains writes ``counters()``.

    Args:
        num_classes (int | None): Number of classes C, without the background.
            Defaults to None: that of the head, which asks for the columns, or
            of the statistics.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`ElementLoss`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.

    Raises:
        TypeError: If ``num_classes`` or ``loss_weight`` is no number.
        ValueError: If one of them is out of range, or the head or the
            statistics have another number of classes.
    """

    num_classes: int | None = None
    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        num_classes: int | None = None,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(None, reduction, loss_weight)
        if num_classes is not None:
            self._set_num_classes(num_classes)
        # Last, since they have to have this number of classes.
        self.init_class_stats(class_stats)

    def counters(self) -> dict[str, Tensor]:
        """What it counts while it trains, at the start.

        Returns:
            dict[str, Tensor]: Each becomes a buffer of that name, in
            checkpoints. ``num_classes`` is known by then.
        """
        return {}

    def _set_num_classes(self, num_classes: int) -> None:
        self.num_classes = check_size('num_classes', num_classes)
        for name, counter in self.counters().items():
            self.register_buffer(name, counter.to(self.num_images.device))

    @property
    def num_columns(self) -> int:
        """Columns K of the classifier."""
        return self.num_classes

    def get_cls_channels(self, num_classes: int) -> int:
        """Columns of the classifier, in a head with ``num_classes``."""
        if self.num_classes is None:
            self._set_num_classes(num_classes)
        if num_classes != self.num_classes:
            whose = ''
            if self.image_count.numel():
                whose = ', as its class statistics have'
            raise ValueError(
                f'the head has num_classes={num_classes} and its '
                f'{type(self).__name__} {self.num_classes}{whose}; set both '
                'to the number of classes'
            )
        return self.num_columns

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores of the classes, and last that of the background.

        Args:
            cls_score (Tensor): (R, K) logits.

        Returns:
            Tensor: (R, C + 1), that of the background being 1 - the highest.
        """
        scores = cls_score.sigmoid()
        background = 1 - scores.amax(dim=1, keepdim=True)
        return torch.cat([scores, background], dim=1)

    def get_accuracy(
        self, cls_score: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """See :func:`class_accuracy`."""
        return class_accuracy(cls_score[:, : self.num_classes], labels)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep the tables of ``num_classes`` classes."""
        if self.num_classes is None:
            self._set_num_classes(stats.num_classes)
        if stats.num_classes != self.num_classes:
            raise ValueError(
                f'{type(self).__name__} has num_classes={self.num_classes}, '
                f'but the class statistics hold {stats.num_classes} classes; '
                'set num_classes of the head and of its loss, or give the '
                'statistics of this data set'
            )
        super().on_class_stats(stats)

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise unless there are K scores and a label for each RoI."""
        if self.num_classes is None:
            raise ValueError(
                f'{type(self).__name__} has num_classes=None; a box head of '
                'MMDetection sets it, elsewhere give the number of classes'
            )
        check_boxes(cls_score, target, self.num_columns)

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for a label that is neither a class nor the background."""
        allowed = f'[0, {self.num_classes}], the last being the background'
        check_range(target, 0, self.num_classes, allowed)


class MultiLabelLoss(ElementLoss):
    """Base of the losses that are a sum of binary losses over the classes.

    For multi-label data the statistics need the number of images, as in
    ``dict(image_count=[...], num_images=N)``: a bare list of counts is taken
    for single-label data.

    Targets may be

    - (B, C) of 0, 1 and -1. An entry of -1 is not known (partial labels; the
      mark of mmpretrain's metrics): it adds nothing to the loss.
    - (B,) class indices, for the sigmoid heads of MMDetection: C is the
      background, all of whose labels are negative, and -1 a row that is
      ignored. These heads need ``use_sigmoid=True`` in the loss config.

    ``element_loss`` gets (B, C) labels, 0 or 1, in the dtype of the scores,
    and returns (B, C).

    Note:
        The reduction ``'mean'`` divides by all B * C entries, unknown ones
        included, as the published code does. mmpretrain's multi-label heads
        pass ``avg_factor=B``, so that the loss there is C times as large:
        ``loss_weight=1 / C`` gives the published scale.

    Args:
        class_stats (ClassStats | dict | list | str | None): Image counts.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): True; MMDetection's heads read it in the config.

    Raises:
        ValueError: For an unknown reduction or ``use_sigmoid=False``.
    """

    def __init__(
        self,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
    ) -> None:
        if use_sigmoid is not True:
            raise ValueError(
                f'use_sigmoid must be True, got {use_sigmoid!r}: '
                f'{type(self).__name__} is a loss of independent sigmoids'
            )
        self.use_sigmoid = use_sigmoid
        super().__init__(class_stats, reduction, loss_weight)

    def check_target(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise unless these are a matrix of labels or class indices."""
        num_classes = self.image_count.numel()
        shape = tuple(cls_score.shape)
        if num_classes and (len(shape) != 2 or shape[1] != num_classes):
            cure = 'set num_classes of the head, or give the statistics'
            cure += ' of this data set'
            if len(shape) == 2 and shape[1] == num_classes + 1:
                cure = (
                    'one more is the background of a softmax: a dense head '
                    '(RetinaNet, ...) needs use_sigmoid=True in the config of '
                    'the loss; a box head (Faster R-CNN, ...) needs a loss '
                    'for box heads, such as mmlt.BoxFocalLoss or '
                    f'mmlt.EQLv2Loss. Else {cure}'
                )
            raise ValueError(
                f'cls_score has the shape {shape}, but the class statistics '
                f'hold {num_classes} classes: expected (B, {num_classes}); '
                f'{cure}'
            )
        indices = target.shape == cls_score.shape[:1]
        if target.shape != cls_score.shape and (
            not indices or target.is_floating_point()
        ):
            raise ValueError(
                f'target has the shape {tuple(target.shape)} and the dtype '
                f'{target.dtype}; cls_score {tuple(cls_score.shape)} needs a '
                '(B, C) matrix of 0, 1 and -1 (not known), or (B,) integer '
                'class indices with C for the background'
            )

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for labels other than these."""
        num_classes = cls_score.size(1)
        if target.dim() == 1:
            allowed = (
                f'[0, {num_classes}), or be {num_classes} for the background '
                'or -1 to be ignored'
            )
            check_range(target, -1, num_classes, allowed)
            self._check_single_labels(cls_score, target)
            return
        wrong = target[(target != 0) & (target != 1) & (target != -1)]
        if wrong.numel():
            raise ValueError(
                f'target holds the label {wrong[0].item():g}; labels must be '
                '0, 1, or -1 for not known'
            )

    def _check_single_labels(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise if these are the labels of a softmax head.

        That is so if every image has one class, and every row has it: in a
        detector most rows are background.
        """
        one_each = self.image_count.numel() and (
            self.image_count.sum() == self.num_images
        )
        if (
            target.numel()
            and one_each
            and bool(((target >= 0) & (target < cls_score.size(1))).all())
        ):
            raise ValueError(
                f'target has the shape {tuple(target.shape)}, one class a '
                'row and no background, and by the class statistics every '
                f'image has one class: {type(self).__name__} is a loss for '
                'several labels an image. For single-label data use a loss '
                'such as mmlt.LogitAdjustedLoss; for multi-label data a head '
                'such as MultiLabelLinearClsHead, and num_images in '
                'class_stats'
            )

    def prepare(
        self, cls_score: Tensor, target: Tensor, weight: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Labels of 0 and 1, and weights without what is not known."""
        known = target >= 0
        labels = target.clamp_min(0)
        if target.dim() == 1:
            known = known.unsqueeze(1)
            classes = torch.arange(cls_score.size(1), device=target.device)
            labels = target.unsqueeze(1) == classes
        if weight is not None and weight.dim() == 1:
            weight = weight.unsqueeze(1)
        known = known if weight is None else known * weight
        return labels.to(cls_score.dtype), known


def in_full_precision(cls_score: Tensor) -> Tensor:
    """float32 at least, as autocast gives the stock losses.

    Half precision holds neither 1 / n nor a sum over many classes.
    """
    return cls_score.float() if cls_score.element_size() < 4 else cls_score


def with_background(values: Tensor, num_columns: int, fill: float) -> Tensor:
    """Append ``fill`` for the background, if the scores have its column.

    Args:
        values (Tensor): (C,) one value a class.
        num_columns (int): Columns of the scores: C, or C + 1 with the
            background last, as in MMDetection.
        fill (float): The background's value.

    Raises:
        ValueError: If the scores have another number of columns.
    """
    extra = num_columns - len(values)
    if extra not in (0, 1):
        raise ValueError(
            f'cls_score has {num_columns} columns, but the class statistics '
            f'hold {len(values)} classes: expected {len(values)}, or '
            f'{len(values) + 1} with the background last; set num_classes of '
            'the head, or give the statistics of this data set'
        )
    return F.pad(values, (0, extra), value=fill)
