"""Softmax cross entropy with class weights. B batch, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmlt.registry import MODELS

from .base import SoftmaxLoss


@MODELS.register_module()
class ClassWeightedCELoss(SoftmaxLoss):
    """``w_y CE(z, y)``, with weights from the class frequencies.

    Re-weighting by the inverse frequency, its square root, or, as in
    `Class-Balanced Loss <https://arxiv.org/abs/1901.05555>`_ (CB-CE) and the
    deferred re-weighting of `LDAM <https://arxiv.org/abs/1906.07413>`_, the
    effective number of samples.

    Note:
        The mean is over the samples, as in the libraries of OpenMMLab;
        PyTorch and the code of LDAM divide by the weights of the batch
        (``average='weights'``).

    Args:
        class_weight (str | Sequence[float] | None): See
            :class:`~mmlt.models.losses.base.SoftmaxLoss`.
        **kwargs: Other arguments of the same class.
    """

    def __init__(
        self,
        class_weight: str | Sequence[float] | None = 'effective_number',
        **kwargs: Any,
    ) -> None:
        super().__init__(class_weight=class_weight, **kwargs)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(cls_score, target, reduction='none')
