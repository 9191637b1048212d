"""Base of the losses of several labels an image. B batch, C classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..checks import check_range
from .element import ElementLoss


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
