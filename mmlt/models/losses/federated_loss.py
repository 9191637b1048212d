"""Federated loss. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.checks import check_number, check_size
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import BoxLoss


@MODELS.register_module()
class FederatedLoss(BoxLoss):
    r"""Sigmoid loss of some of the classes in each batch.

    `Probabilistic two-stage detection <https://arxiv.org/abs/2103.07461>`_,
    for LVIS: over a subset S of the classes,

    .. math::
        L = \sum_{j \in S} \mathrm{BCE}(z_j, y_j)

    S holds the classes of the batch and, up to ``num_sampled`` in all, others
    drawn without replacement with :math:`P \propto n^{1/2}`, n images. In
    LVIS an image says of some classes only that they are absent; a class is
    rarely a negative where the batch has none of it. The background is the
    RoI without a positive class; a box has the score sigmoid(z).

    The batch is that of a rank. What is drawn comes from PyTorch's stream of
    the device.

    Note:
        Detectron2 counts the background as one of the 50 if the batch has
        some. Heads that compute the loss of each level of the pyramid by
        itself (RetinaNet, ATSS) draw for each.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        num_sampled (int): Classes that S holds at least. Defaults to 50.
        power (float): Exponent of n, >= 0. Defaults to 0.5.
        class_stats (ClassStats | dict | list | str | None): Image counts, see
            :class:`~mmlt.models.losses.base.BoxLoss`. A class in no image is
            never drawn.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of the
            same class; the mean is that of the RoIs.

    Raises:
        TypeError: If a number is none.
        ValueError: If one is out of range, or the statistics have another
            number of classes.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        num_sampled: int = 50,
        power: float = 0.5,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.num_sampled = check_size('num_sampled', num_sampled)
        self.power = check_number('power', power)
        super().__init__(num_classes, class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """What the probabilities are in proportion to, (C,)."""
        count = stats.image_count
        weight = count.astype(float) ** self.power
        return {'sampling_weight': np.where(count > 0, weight, 0)}

    def draw(self, target: Tensor) -> Tensor:
        """(C,) bool: which classes S holds.

        Args:
            target (Tensor): (R,) labels, C for the background.
        """
        weight = self.sampling_weight
        present = torch.zeros_like(weight[:1]).repeat(len(weight) + 1)
        present = present.scatter(0, target, 1.0)[:-1] > 0
        # The largest log w + Gumbel noise are a draw without replacement.
        noise = -torch.empty_like(weight).exponential_().log()
        key = (weight.log() + noise).masked_fill(present, torch.inf)
        best = key.topk(min(self.num_sampled, len(key))).indices
        drawn = torch.zeros_like(present).scatter(0, best, True)
        return present | (drawn & (weight > 0))

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        losses = self.bce(cls_score, target)
        return losses.masked_fill(~self.draw(target), 0).sum(dim=1)
