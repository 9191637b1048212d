"""Seesaw loss. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from mmlt.checks import check_number, check_switch
from mmlt.registry import MODELS

from .accuracy import percentage
from .base import BoxLoss, in_full_precision


def log_factors(
    log_score: Tensor,
    target: Tensor,
    count: Tensor,
    p: float,
    q: float,
    eps: float,
) -> Tensor:
    """(R, C) ``log S_ij`` of :func:`seesaw_loss`, from log scores."""
    label = target.unsqueeze(1)
    log_count = count.to(log_score.dtype).clamp(min=1).log()
    mitigation = (log_count - log_count[label]).clamp(max=0)
    own_score = log_score.gather(1, label).exp().clamp(min=eps).log()
    compensation = (log_score - own_score).clamp(min=0)
    return (p * mitigation + q * compensation).scatter(1, label, 0.0)


def add_labels(count: Tensor, labels: Tensor) -> None:
    """Add to the (C + 1,) samples of each label those of all ranks."""
    new = torch.zeros_like(count)
    # Not `bincount`, which waits for the device.
    new.scatter_add_(0, labels, torch.ones_like(labels).to(new))
    all_reduce(new)
    count += new


def seesaw_loss(
    cls_score: Tensor,
    target: Tensor,
    count: Tensor,
    p: float = 0.8,
    q: float = 2.0,
    eps: float = 1e-2,
) -> Tensor:
    r"""Softmax cross entropy that spares rare classes the negatives.

    `Seesaw loss <https://arxiv.org/abs/2008.10032>`_, equations 5 to 8: the
    cross entropy of :math:`z_j + \log S_{ij}` for the label i, with

    .. math::
        S_{ij} = \min\Big(1, \frac{N_j}{N_i}\Big)^p
        \max\Big(1, \frac{\sigma_j}{\max(\sigma_i, \epsilon)}\Big)^q,
        \quad S_{ii} = 1

    where the softmax :math:`\sigma` gets no gradient.

    Args:
        cls_score (Tensor): (R, C) logits.
        target (Tensor): (R,) labels.
        count (Tensor): (C,) samples ``N`` so far; 0 counts as 1.
        p (float): Of the mitigation factor, by the counts.
        q (float): Of the compensation factor, by the scores.
        eps (float): The least score of the label.

    Returns:
        Tensor: (R,) losses.
    """
    log_score = cls_score.detach().log_softmax(dim=1)
    factor = log_factors(log_score, target, count, p, q, eps)
    return F.cross_entropy(cls_score + factor, target, reduction='none')


@MODELS.register_module()
class SeesawLoss(BoxLoss):
    """Seesaw loss, with one counter for all ranks.

    `Seesaw loss <https://arxiv.org/abs/2008.10032>`_: :func:`seesaw_loss`
    over the classes, for the foreground, and a cross entropy of foreground
    and background. The classifier's columns are ``[C classes | foreground,
    background]``; a box has the score :math:`\\sigma_c p(foreground)`.

    Note:
        MMDetection's own counts on each rank what that rank has seen, so
        that the ranks train with different factors and the checkpoint holds
        those of rank 0, loops over the labels and has a C x C matrix. This
        one sums over the ranks and counts in training only. Arguments and
        values are the same otherwise.

    Args:
        use_sigmoid (bool): False, as in MMDetection.
        p (float): Of the mitigation factor, >= 0. Defaults to 0.8.
        q (float): Of the compensation factor, >= 0. Defaults to 2.0.
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        eps (float): Least score of the label, > 0. Defaults to 0.01.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss, >= 0.
        return_dict (bool): Return the two losses by name instead of their
            sum. Defaults to True.
        class_stats (ClassStats | dict | list | str | None): Not used, but
            for their number of classes: what training has shown counts.

    Raises:
        TypeError: If a number is none, or a switch neither True nor False.
        ValueError: If a number is out of range, or ``use_sigmoid`` is True.
    """

    in_dense_heads = False

    def __init__(
        self,
        use_sigmoid: bool = False,
        p: float = 0.8,
        q: float = 2.0,
        num_classes: int | None = None,
        eps: float = 1e-2,
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        return_dict: bool = True,
        class_stats: Any = None,
    ) -> None:
        if check_switch('use_sigmoid', use_sigmoid):
            raise ValueError(
                'use_sigmoid must be False, got True: SeesawLoss is a softmax'
            )
        self.use_sigmoid = use_sigmoid
        self.p = check_number('p', p)
        self.q = check_number('q', q)
        self.eps = check_number('eps', eps, positive=True)
        self.return_dict = check_switch('return_dict', return_dict)
        super().__init__(num_classes, class_stats, reduction, loss_weight)

    def counters(self) -> dict[str, Tensor]:
        """Samples (C + 1,) of each class, and of the background."""
        return {'cum_samples': torch.zeros(self.num_classes + 1)}

    @property
    def num_columns(self) -> int:
        """C + 2."""
        return self.num_classes + 2

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """(R, C + 1) scores."""
        scores = in_full_precision(cls_score)
        objectness = scores[:, -2:].softmax(dim=1)
        classes = scores[:, :-2].softmax(dim=1) * objectness[:, :1]
        return torch.cat([classes, objectness[:, 1:]], dim=1)

    def get_accuracy(
        self, cls_score: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """``acc_objectness`` and ``acc_classes`` in percent.

        Args:
            cls_score (Tensor): (R, C + 2) logits.
            labels (Tensor): (R,) with C for the background.
        """
        found = cls_score[:, -2] > cls_score[:, -1]
        right = found == (labels < self.num_classes)
        accuracy = super().get_accuracy(cls_score, labels)
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
            cls_score (Tensor): (R, C + 2) logits.
            labels (Tensor): (R,) with C for the background.
            label_weights (Tensor | None): (R,) weight of each RoI.
            avg_factor (float | None): Divide both sums by this. Defaults to
                the number of RoIs, and of those of the foreground.
            reduction_override (str | None): Instead of ``reduction``.

        Returns:
            dict[str, Tensor] | Tensor: ``loss_cls_objectness`` and
            ``loss_cls_classes``, or their sum without ``return_dict``.
        """
        scores = self.checked(cls_score, labels)
        self.is_first_batch = False
        if self.training:
            add_labels(self.cum_samples, labels)
        foreground = labels < self.num_classes
        # All RoIs with weight 0 for the background, instead of the
        # foreground alone, whose number only the device knows.
        weights = foreground
        if label_weights is not None:
            weights = foreground * label_weights
        number = avg_factor
        if number is None and (reduction_override or self.reduction) == 'mean':
            number = foreground.sum().clamp(min=1)
        of_classes = seesaw_loss(
            scores[:, :-2],
            labels.clamp(max=self.num_classes - 1),
            self.cum_samples[:-1],
            self.p,
            self.q,
            self.eps,
        )
        of_objectness = F.cross_entropy(
            scores[:, -2:], (~foreground).long(), reduction='none'
        )
        override = reduction_override
        losses = {
            'loss_cls_objectness': self.reduced(
                of_objectness, label_weights, avg_factor, override
            ),
            'loss_cls_classes': self.reduced(
                of_classes, weights, number, override
            ),
        }
        return losses if self.return_dict else sum(losses.values())
