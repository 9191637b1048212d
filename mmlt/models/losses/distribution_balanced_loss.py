"""Distribution-Balanced loss for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import MultiLabelLoss
from .checks import settings
from .focal_bce import FOCAL, focal_bce
from .multi_label_logit_adjusted_loss import log_odds

REBALANCE = dict(alpha=0.1, beta=10.0, mu=0.3)
NTR = dict(scale=2.0, kappa=0.05)


def rebalanced_weight(
    target: Tensor,
    inverse_count: Tensor,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.3,
) -> Tensor:
    r"""Re-balanced weighting, smoothed.

    .. math::
        r_{ik} = \frac{1 / n_k}{\sum_{j \in S_i} 1 / n_j}, \quad
        \hat r = \alpha + \sigma(\beta (r - \mu))

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, Eq. 4
    and 5. It weighs positive and negative labels alike. For an image without
    a positive label ``r`` is infinite, so that its weight is ``1 + alpha``.

    Args:
        target (Tensor): (B, C) float, 0 or 1.
        inverse_count (Tensor): (C,) ``1 / n``, positive; n in images.
        alpha (float): Overall lift.
        beta (float): Steepness, > 0.
        mu (float): Centre.

    Returns:
        Tensor: (B, C) ``rhat``.
    """
    total = (target * inverse_count).sum(dim=1, keepdim=True)
    return alpha + torch.sigmoid(beta * (inverse_count / total - mu))


def negative_tolerant_bias(
    stats: ClassStats, scale: float = 2.0, kappa: float = 0.05
) -> Tensor:
    r"""Class-specific bias ``nu`` of negative-tolerant regularisation.

    .. math::
        \nu_k = -\frac{\kappa}{\lambda} \log\Big(\frac{N}{n_k} - 1\Big)

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, Eq. 8:
    the :func:`log_odds` of the classes, scaled.

    Args:
        stats (ClassStats): ``n_k`` and ``N`` in images.
        scale (float): ``lambda``, > 0.
        kappa (float): Scale of the log odds.

    Returns:
        Tensor: (C,) float64.
    """
    return torch.from_numpy(kappa / scale * log_odds(stats))


def distribution_balanced_loss(
    cls_score: Tensor,
    target: Tensor,
    inverse_count: Tensor | None = None,
    bias: Tensor | None = None,
    rebalance: dict | None = REBALANCE,
    ntr: dict | None = NTR,
    focal: dict | None = FOCAL,
) -> Tensor:
    r"""Distribution-Balanced loss of each entry.

    .. math::
        b \, \hat r \, (1 - p_t)^\gamma \cdot
        \begin{cases}
            \log(1 + e^{-(z + \nu)}) & y = 1 \\
            \log(1 + e^{\lambda (z + \nu)}) / \lambda & y = 0
        \end{cases}

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, Eq. 10,
    with the focal part; ``p_t`` is the probability of the label after bias
    and scale. Without the three parts it is the binary cross entropy.

    Args:
        cls_score (Tensor): (B, C) logits ``z``, not changed.
        target (Tensor): (B, C) float, 0 or 1.
        inverse_count (Tensor | None): (C,) ``1 / n``, needed by
            ``rebalance``.
        bias (Tensor | None): (C,) ``nu``, see
            :func:`negative_tolerant_bias`, needed by ``ntr``.
        rebalance (dict | None): ``alpha``, ``beta`` and ``mu``.
        ntr (dict | None): ``scale`` (lambda); other keys are not read.
        focal (dict | None): ``gamma`` and ``balance`` (b).

    Returns:
        Tensor: (B, C).
    """
    gamma, factor = 0.0, torch.ones_like(target)
    if focal is not None:
        gamma, factor = focal['gamma'], factor * focal['balance']
    if ntr is not None:
        slope = torch.where(target > 0, 1.0, ntr['scale'])
        cls_score = slope * (cls_score + bias)
        factor = factor / slope
    if rebalance is not None:
        factor = factor * rebalanced_weight(target, inverse_count, **rebalance)
    return factor * focal_bce(cls_score, target, gamma)


@MODELS.register_module()
class DistributionBalancedLoss(MultiLabelLoss):
    """Distribution-Balanced loss: three parts, each of which may be None.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_. R-BCE is
    ``ntr=None, focal=None``, R-BCE-Focal ``ntr=None``, NTR-Focal
    ``rebalance=None``, DB ``focal=None``; with all three, it is DB-Focal. See
    :func:`distribution_balanced_loss`, and
    :class:`~mmlt.models.losses.base.MultiLabelLoss` for targets and for the
    scale of the mean.

    A class without training images counts as having one. For the bias of
    negative-tolerant regularisation, a class in every image counts as
    missing from one. An image without a positive label has the weight
    ``1 + alpha``.

    Note:
        The defaults are the paper's for VOC-MLT but for ``scale``, which is
        5 there; COCO-MLT has ``mu`` 0.2 and ``scale`` 2. The published code
        adds the bias to the logits in place, so that what is logged as
        accuracy sees it; here, as in prediction, the logits are raw.

    Args:
        rebalance (dict | None): ``alpha`` (lift), ``beta`` (steepness) and
            ``mu`` (centre) of the smoothed weights. Keys left out keep their
            defaults.
        ntr (dict | None): ``scale`` (lambda) and ``kappa`` of
            negative-tolerant regularisation.
        focal (dict | None): ``gamma`` and ``balance``, a constant factor.
        class_stats (ClassStats | dict | list | str | None): Image counts and
            number of images, see
            :class:`~mmlt.models.losses.base.MultiLabelLoss`.
        **kwargs: Other arguments of the same class.

    Raises:
        TypeError: If a part is neither a dict nor None.
        ValueError: If a part has an unknown key or a number out of range.

    Example:
        >>> head = dict(
        ...     type='MultiLabelLinearClsHead',
        ...     num_classes=80,
        ...     in_channels=256,
        ...     loss=dict(
        ...         type='mmlt.DistributionBalancedLoss',
        ...         rebalance=dict(mu=0.2),
        ...         loss_weight=1 / 80,
        ...     ),
        ... )
    """

    def __init__(
        self,
        rebalance: dict | None = REBALANCE,
        ntr: dict | None = NTR,
        focal: dict | None = FOCAL,
        class_stats: Any = None,
        **kwargs: Any,
    ) -> None:
        self.rebalance = settings('rebalance', rebalance, REBALANCE, ('beta',))
        self.ntr = settings('ntr', ntr, NTR, ('scale',))
        self.focal = settings('focal', focal, FOCAL)
        super().__init__(class_stats, **kwargs)

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray | Tensor]:
        """``1 / n`` and the bias, (C,)."""
        return {
            'inverse_count': 1 / stats.positive_count(),
            'bias': negative_tolerant_bias(stats, **(self.ntr or NTR)),
        }

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        return distribution_balanced_loss(
            cls_score,
            target,
            self.inverse_count,
            self.bias,
            self.rebalance,
            self.ntr,
            self.focal,
        )
