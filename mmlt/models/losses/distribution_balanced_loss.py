"""Distribution-Balanced loss for multi-label data. B batch, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .focal_log_likelihood import focal_log_likelihood
from .multi_label_loss import FOCAL, MultiLabelLoss, positive_count, settings

REBALANCE = dict(alpha=0.1, beta=10.0, mu=0.3)
NTR = dict(scale=2.0, kappa=0.05)


def rebalanced_weight(
    target: Tensor,
    inverse_count: Tensor,
    alpha: float = 0.1,
    beta: float = 10.0,
    mu: float = 0.3,
    factor: float = 1.0,
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
        factor (float): Multiplies the result.

    Returns:
        Tensor: (B, C) ``rhat``.
    """
    # A matrix product would be of half precision under autocast.
    total = (target * inverse_count).sum(dim=1, keepdim=True)
    shift = torch.full_like(inverse_count, -beta * mu)
    smooth = torch.addcmul(
        shift, total.reciprocal(), inverse_count, value=beta
    ).sigmoid_()
    # factor * (alpha + smooth), in one operation.
    return torch.rsub(smooth, factor * alpha, alpha=-factor)


def negative_tolerant_bias(
    stats: ClassStats, scale: float = 2.0, kappa: float = 0.05
) -> Tensor:
    r"""Class-specific bias ``nu`` of negative-tolerant regularisation.

    .. math::
        \nu_k = -\frac{\kappa}{\lambda} \log\Big(\frac{N}{n_k} - 1\Big)

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, Eq. 8.
    It is infinite for a class in no image or in all of them: these count as
    being in one image, and in all but one.

    Args:
        stats (ClassStats): ``n_k`` and ``N`` in images.
        scale (float): ``lambda``, > 0.
        kappa (float): Scale of the log odds.

    Returns:
        Tensor: (C,) float64.
    """
    num_images = max(stats.num_images, 2)
    count = stats.image_count.clip(1, num_images - 1)
    return torch.from_numpy(-kappa / scale * np.log(num_images / count - 1))


def distribution_balanced_loss(
    cls_score: Tensor,
    target: Tensor,
    inverse_count: Tensor | None = None,
    bias: Tensor | None = None,
    rebalance: dict | None = REBALANCE,
    ntr: dict | None = NTR,
    focal: dict | None = FOCAL,
    weight: Tensor | None = None,
    factor: float = 1.0,
    total: bool = False,
) -> Tensor:
    r"""Distribution-Balanced loss of each entry, or their sum.

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
        weight (Tensor | None): (B, 1) or (B, C), multiplies the losses.
        factor (float): Multiplies the result.
        total (bool): Return the sum, without keeping the losses.

    Returns:
        Tensor: (B, C), or 0-dim for ``total``.
    """
    # The loss is a negative log-likelihood.
    gamma, scale, factor = 0.0, 1.0, -factor
    if focal is not None:
        gamma, factor = focal['gamma'], factor * focal['balance']
    if ntr is None:
        bias = cls_score.new_zeros(())
    else:
        # Positive labels weigh lambda, instead of negative ones 1 / lambda.
        scale = ntr['scale']
        factor = factor / scale
    if rebalance is not None:
        rhat = rebalanced_weight(
            target, inverse_count, **rebalance, factor=factor
        )
        weight = rhat if weight is None else rhat.mul_(weight)
    elif weight is not None:
        weight = factor * weight
    else:
        weight = cls_score.new_full((), factor)
    return focal_log_likelihood(
        cls_score, target, bias, weight, gamma, scale, total
    )


@MODELS.register_module()
class DistributionBalancedLoss(MultiLabelLoss):
    """Distribution-Balanced loss: three parts, each of which may be None.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_. R-BCE is
    ``ntr=None, focal=None``, R-BCE-Focal ``ntr=None``, NTR-Focal
    ``rebalance=None``, DB ``focal=None``; with all three, it is DB-Focal. See
    :func:`distribution_balanced_loss`, and :class:`MultiLabelLoss` for
    targets and for the scale of the mean.

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
            number of images, see :class:`MultiLabelLoss`.
        reduction (str): ``'none'``, ``'mean'`` or ``'sum'``.
        loss_weight (float): Weight of the loss.
        use_sigmoid (bool): See :class:`MultiLabelLoss`.

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
        reduction: str = 'mean',
        loss_weight: float = 1.0,
        use_sigmoid: bool = True,
    ) -> None:
        super().__init__(reduction, loss_weight, use_sigmoid)
        self.rebalance = settings('rebalance', rebalance, REBALANCE, ('beta',))
        self.ntr = settings('ntr', ntr, NTR, ('scale',))
        self.focal = settings('focal', focal, FOCAL)
        self.register_buffer('inverse_count', torch.zeros(0), persistent=False)
        self.register_buffer('bias', torch.zeros(0), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats: ClassStats) -> None:
        """Keep ``1 / n`` and the bias, (C,)."""
        inverse_count = torch.from_numpy(1 / positive_count(stats))
        self.inverse_count = inverse_count.to(self.inverse_count)
        if self.ntr is not None:
            bias = negative_tolerant_bias(stats, **self.ntr)
            self.bias = bias.to(self.bias)

    def weighted_loss(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None,
        factor: float,
        total: bool,
    ) -> Tensor:
        return distribution_balanced_loss(
            cls_score,
            target,
            self.inverse_count.to(cls_score.dtype),
            self.bias.to(cls_score.dtype),
            self.rebalance,
            self.ntr,
            self.focal,
            weight,
            factor,
            total,
        )
