"""Logit adjustment of sigmoids in detectors. R RoIs, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import Tensor

from mmlt.checks import check_finite
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import BoxLoss
from .checks import check_prior, warn_of_tau


@MODELS.register_module()
class BoxLogitAdjustedLoss(BoxLoss):
    r"""Binary cross entropy of ``z + tau * log pi``, scored by the raw ``z``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 10, for sigmoids of which an
    anchor or RoI has C:

    .. math::
        L = \sum_j \mathrm{BCE}\Big(z_j + \tau
        \log\frac{n_j}{\bar n}, y_j\Big)

    Of all anchors, the share :math:`\varphi` shows an object, and the share
    :math:`\varphi \pi_j` one of the class j. Binary cross entropy learns the
    log odds of the class given the image. By Bayes' rule these are its log
    likelihood ratio plus the log odds of the class alone, and since
    :math:`\varphi` is small,

    .. math::
        \log\frac{\varphi \pi_j}{1 - \varphi \pi_j} \approx
        \log\varphi + \log\pi_j

    The first term is common to all classes and says how rarely an anchor
    shows anything: it stays in z, as the column of the background stays in
    :class:`~mmlt.models.losses.LogitAdjustedLoss`, so that scores keep their
    scale, and balanced classes change nothing. The second is what the loss
    adds in training only. Raw logits move all boxes of a class alike: its AP
    gains by how the training differs, and by the boxes of rare classes that
    the cap of an image leaves.

    Args:
        num_classes (int | None): Number of classes C, without the background;
            None for that of the head.
        tau (float): Scale of the log prior; 0 is binary cross entropy.
            Defaults to 1.0.
        by (str): Prior from ``'instance'`` or ``'image'`` counts. Defaults to
            ``'instance'``.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.log_prior`.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`~mmlt.models.losses.base.BoxLoss`.
        **kwargs: ``reduction``, ``loss_weight`` and ``use_sigmoid`` of the
            same class; the mean is that of the RoIs.

    Raises:
        TypeError: If ``tau`` is no number.
        ValueError: If ``tau`` is not finite, a policy is unknown, or the
            statistics have another number of classes.
    """

    def __init__(
        self,
        num_classes: int | None = None,
        tau: float = 1.0,
        by: str = 'instance',
        zero_count: str = 'error',
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.tau = check_finite('tau', tau)
        warn_of_tau(type(self).__name__, tau)
        self.prior = check_prior(by, zero_count, 'mean')
        super().__init__(num_classes, class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """``tau * log(n / mean n)``, (C,)."""
        return {'offset': self.tau * stats.log_prior(**self.prior)}

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return self.bce(cls_score + self.offset, target).sum(dim=1)
