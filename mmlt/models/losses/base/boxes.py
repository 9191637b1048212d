"""Base of the losses of box heads. R RoIs, C classes, K columns."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_size, check_switch
from mmlt.class_stats import ClassStats

from ..accuracy import class_accuracy
from ..checks import check_boxes, check_range
from .element import ElementLoss


class BoxLoss(ElementLoss):
    """Base of the losses of box heads that bring their scores along.

    MMDetection's box heads ask such a loss for the columns of the
    classifier, the scores of boxes and the accuracies to log. Here these are
    C sigmoids, and the background is the RoI without a positive class.
    Targets are (R,) labels, C for the background.

    Dense heads (RetinaNet, ATSS, FCOS, DETR) look for ``use_sigmoid`` in the
    config of the loss, have C columns then, and take their sigmoids for the
    scores. R are anchors, points or queries there.

    A subclass that counts while it trains writes ``counters()``.

    Args:
        num_classes (int | None): Number of classes C, without the background.
            Defaults to None: that of the head, which asks for the columns, or
            of the statistics. A dense head does not ask.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`ElementLoss`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): True in a dense head, False in a box head.

    Raises:
        TypeError: If ``num_classes`` or ``loss_weight`` is no number, or
            ``use_sigmoid`` neither True nor False.
        ValueError: If one of them is out of range, the head or the statistics
            have another number of classes, or ``use_sigmoid`` comes without
            ``num_classes``.
    """

    num_classes: int | None = None
    # Whether C sigmoids are all that it needs.
    in_dense_heads = True
    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        num_classes: int | None = None,
        class_stats: Any = None,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = False,
    ) -> None:
        super().__init__(None, reduction, loss_weight)
        self.use_sigmoid = check_switch('use_sigmoid', use_sigmoid)
        if use_sigmoid:
            if num_classes is None:
                raise ValueError(
                    f'{type(self).__name__} has use_sigmoid=True, for a dense '
                    'head, which does not tell a loss its classes: give '
                    'num_classes, that of the head'
                )
            # What a dense head would call, but for boxes of C + 1 scores.
            self.custom_cls_channels = False
            self.custom_activation = False
            self.custom_accuracy = False
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

    def positives(self, target: Tensor) -> Tensor:
        """(R, K) bool: the column of each label, if there is one."""
        columns = torch.arange(self.num_columns, device=target.device)
        return target.unsqueeze(1) == columns

    def bce(self, cls_score: Tensor, target: Tensor) -> Tensor:
        """(R, K) binary cross entropy of each column."""
        positive = self.positives(target).to(cls_score.dtype)
        return F.binary_cross_entropy_with_logits(
            cls_score, positive, reduction='none'
        )

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
        if not isinstance(target, Tensor):
            raise ValueError(
                f'target is a {type(target).__name__}: the head gives '
                'qualities with the labels (GFL, RTMDet, ...), which only its '
                f'own losses know; {type(self).__name__} takes (R,) labels, '
                'as RetinaNet, ATSS, FCOS and DETR give'
            )
        check_boxes(cls_score, target, self.num_columns)

    def check_values(self, cls_score: Tensor, target: Tensor) -> None:
        """Raise for a label that is neither a class nor the background."""
        allowed = f'[0, {self.num_classes}], the last being the background'
        check_range(target, 0, self.num_classes, allowed)
