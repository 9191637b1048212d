"""Seesaw loss that counts the samples of all ranks. R RoIs, C classes."""

from __future__ import annotations

import torch
from mmdet.models.losses import SeesawLoss as SingleProcessSeesawLoss
from mmdet.models.losses.seesaw_loss import seesaw_ce_loss
from mmengine.dist import all_reduce
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor
from torch.nn.functional import cross_entropy

from mmlt.registry import MODELS

from .accuracy import class_accuracy, percentage
from .checks import check_boxes


@MODELS.register_module()
class SeesawLoss(SingleProcessSeesawLoss):
    """MMDetection's Seesaw loss, with one counter for all ranks.

    `Seesaw loss <https://arxiv.org/abs/2008.10032>`_. MMDetection's own
    counts on each rank what that rank has seen, so that the ranks train with
    different factors and the checkpoint holds those of rank 0. This one sums
    over the ranks, counts in training only, and has no loop over the classes
    and no wait for the device. Arguments and values are the same otherwise.
    """

    def get_accuracy(
        self, cls_score: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """``acc_objectness`` and ``acc_classes`` in percent.

        Args:
            cls_score (Tensor): (R, C + 2) logits.
            labels (Tensor): (R,) with C for the background.
        """
        classes, objectness = self._split_cls_score(cls_score)
        found = objectness[:, 0] > objectness[:, 1]
        right = found == (labels < self.num_classes)
        accuracy = class_accuracy(classes, labels)
        accuracy['acc_objectness'] = percentage(right, torch.ones_like(right))
        return accuracy

    def forward(
        self,
        cls_score: Tensor,
        labels: Tensor,
        label_weights: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """Count the labels and compute the losses.

        Args:
            cls_score (Tensor): (R, C + 2) logits: the classes, foreground,
                background.
            labels (Tensor): (R,) with C for the background.
            label_weights (Tensor | None): (R,) weight of each RoI.
            avg_factor (float | None): Divide the sums by this.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            dict[str, Tensor] | Tensor: ``loss_cls_objectness`` and
            ``loss_cls_classes``, or their sum without ``return_dict``.
        """
        check_boxes(cls_score, labels, self.num_classes + 2)
        reduction = reduction_override or self.reduction
        if self.training:
            self._count(labels)
        if label_weights is None:
            label_weights = torch.ones_like(labels, dtype=torch.float32)
        foreground = labels < self.num_classes
        classes, objectness = self._split_cls_score(cls_score)
        # All RoIs with weight 0 for the background, instead of the
        # foreground alone, whose number only the device knows.
        # It makes an index where the default device is, and copies it over.
        with cls_score.device:
            of_classes = seesaw_ce_loss(
                classes,
                labels.clamp(max=self.num_classes - 1),
                None,
                self.cum_samples[:-1],
                self.num_classes,
                self.p,
                self.q,
                self.eps,
                reduction='none',
            )
        average = avg_factor
        if average is None and reduction == 'mean':
            average = foreground.sum().clamp(min=1)
        of_classes = weight_reduce_loss(
            of_classes, label_weights * foreground, reduction, average
        )
        of_objectness = weight_reduce_loss(
            cross_entropy(objectness, (~foreground).long(), reduction='none'),
            label_weights,
            reduction,
            avg_factor,
        )
        losses = {
            'loss_cls_objectness': self.loss_weight * of_objectness,
            'loss_cls_classes': self.loss_weight * of_classes,
        }
        return losses if self.return_dict else sum(losses.values())

    def _count(self, labels: Tensor) -> None:
        count = torch.zeros_like(self.cum_samples)
        # Not `bincount`, which waits for the device.
        count.scatter_add_(0, labels, torch.ones_like(labels).to(count))
        all_reduce(count)
        self.cum_samples += count
