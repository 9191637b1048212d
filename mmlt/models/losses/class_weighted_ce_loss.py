"""Softmax cross entropy with class weights. B batch, C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats, check_by
from mmlt.registry import MODELS

from .base import SoftmaxLoss
from .class_weights import class_weights


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
        by (str): A named weight is of ``'image'`` or ``'instance'`` counts.
        limits (tuple[float, float] | None): Least and largest named weight;
            what is beyond is clipped. `BAGS
            <https://arxiv.org/abs/2006.10408>`_ re-weights detectors with
            ``'inverse'`` by instances and (0.1, 5). Defaults to None.
        **kwargs: Other arguments of the same class.

    Raises:
        TypeError: If ``limits`` are no two numbers.
        ValueError: If ``by`` is unknown or ``limits`` fall.
    """

    def __init__(
        self,
        class_weight: str | Sequence[float] | None = 'effective_number',
        by: str = 'image',
        limits: tuple[float, float] | None = None,
        **kwargs: Any,
    ) -> None:
        check_by(by)
        self.by = by
        self.limits = limits if limits is None else check_limits(limits)
        super().__init__(class_weight=class_weight, **kwargs)

    def weights_of_classes(self, stats: ClassStats) -> Tensor:
        weight = class_weights(stats, self.class_weight, self.beta, self.by)
        return weight if self.limits is None else weight.clamp(*self.limits)

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(cls_score, target, reduction='none')


def check_limits(limits: Any) -> tuple[float, float]:
    """The two numbers; raises unless they are and rise."""
    if not isinstance(limits, Sequence) or len(limits) != 2:
        raise TypeError(f'limits must be two numbers, got {limits!r}')
    least, largest = (check_number('limits', each) for each in limits)
    if least > largest:
        raise ValueError(f'limits must rise, got {limits!r}')
    return least, largest
