"""Effective class margins. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from mmlt.class_stats import ClassStats, check_by
from mmlt.registry import MODELS

from .base import BoxLoss


@MODELS.register_module()
class ECMLoss(BoxLoss):
    r"""Sigmoid loss with the margins that a bound of the AP asks for.

    `Long-tail detection with effective class-margins
    <https://arxiv.org/abs/2301.09724>`_: with n instances of a class and
    :math:`\bar n` of all others, positives and negatives need the margins

    .. math::
        \gamma^+ = \frac{\bar n^{1/4}}{n^{1/4} + \bar n^{1/4}}, \qquad
        \gamma^- = \frac{n^{1/4}}{n^{1/4} + \bar n^{1/4}}

    which the score :math:`\hat s = w^+ e^f / (w^+ e^f + w^- e^{-f})` with the
    weights :math:`w = 1 / \gamma` brings about, under a binary cross entropy.
    With the logit z = 2 f of the plain sigmoid, by which boxes are scored,
    this is

    .. math::
        L = \sum_j \mathrm{BCE}\Big(z_j + \frac{1}{4}
        \log\frac{n_j}{\bar n_j}, y_j\Big)

    The background is the RoI without a positive class.

    Note:
        All classes have the same weight, where the paper has a constant m of
        its bound. n counts annotated instances, not sampled RoIs, and
        background is not among them.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        by (str): n of ``'instance'`` or ``'image'`` counts. Defaults to
            ``'instance'``. A class without any counts as having one.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`~mmlt.models.losses.base.BoxLoss`.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of the
            same class; the mean is that of the RoIs.

    Raises:
        ValueError: If ``by`` is unknown, or the statistics have another
            number of classes, or only one.
    """

    # The exponent of the counts.
    tau = 0.25

    def __init__(
        self,
        num_classes: int | None = None,
        by: str = 'instance',
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        check_by(by)
        self.by = by
        super().__init__(num_classes, class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """``log(w+ / w-)``, (C,)."""
        count = stats.positive_count(self.by)
        if len(count) < 2:
            raise ValueError(
                f'class_stats hold {len(count)} class; ECMLoss takes margins '
                'from the counts of the others, and needs at least two'
            )
        return {'offset': self.tau * np.log(count / (count.sum() - count))}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return self.bce(cls_score + self.offset, target).sum(dim=1)
