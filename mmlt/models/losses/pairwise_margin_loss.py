"""The general pairwise margin loss. B batch, K columns, C classes.

With ``K = C``, or ``K = C + 1`` in a detection head (background last).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmlt.checks import check_finite
from mmlt.class_stats import ClassStats
from mmlt.registry import MODELS

from .base import SoftmaxLoss, with_background
from .checks import check_prior, warn_of_tau


def pairwise_margin_loss(
    cls_score: Tensor,
    target: Tensor,
    alpha: Tensor,
    label_margin: Tensor,
    rival_margin: Tensor,
    margin: Tensor | None = None,
) -> Tensor:
    r"""Softmax with a margin between each label and each rival class.

    .. math::
        \alpha_y \log\Big(1 + \sum_{k \neq y} e^{\Delta_{yk}}
        e^{z_k - z_y}\Big), \quad \Delta_{yk} = a_y + b_k + M_{yk}

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 11. All published instances
    have ``Delta`` of the form ``a_y + b_k``, which needs memory for two
    vectors only; ``M`` is for those that have not.

    Args:
        cls_score (Tensor): (B, K) logits.
        target (Tensor): (B,) labels, or (B, K) label distributions, for
            which the losses of the labels are averaged.
        alpha (Tensor): (K,) weight of each label.
        label_margin (Tensor): (K,) ``a``.
        rival_margin (Tensor): (K,) ``b``.
        margin (Tensor | None): (K, K) ``M``, rows are labels. The diagonal
            has no meaning.

    Returns:
        Tensor: (B,) losses.
    """
    rivals = cls_score + rival_margin
    if target.dim() == 1:
        label = target.unsqueeze(1)
        if margin is not None:
            rivals = rivals + margin[target]
        # The label itself has no margin: give it a logit that is -a_y
        # relative to its rivals, and the loss is a cross entropy.
        own = cls_score.gather(1, label) - label_margin[label]
        loss = F.cross_entropy(
            rivals.scatter(1, label, own), target, reduction='none'
        )
        return alpha[target] * loss
    own = cls_score - label_margin
    if margin is None:
        others = _logsumexp_of_others(rivals)
    else:
        others = _logsumexp_with_margin(rivals, margin)
    losses = F.softplus(others - own)
    return (target * alpha * losses).sum(dim=1)


def _logsumexp_of_others(scores: Tensor) -> Tensor:
    """(B, K) logsumexp of each row without the column itself.

    From both sides, because subtracting one exponential from the sum of all
    loses every digit where that one dominates.
    """
    edge = scores.new_full((len(scores), 1), -math.inf)
    before = torch.cat([edge, scores[:, :-1].logcumsumexp(dim=1)], dim=1)
    after = scores[:, 1:].flip(1).logcumsumexp(dim=1).flip(1)
    return torch.logaddexp(before, torch.cat([after, edge], dim=1))


def _logsumexp_with_margin(scores: Tensor, margin: Tensor) -> Tensor:
    """(B, K) ``log sum_{k != y} exp(scores_k + margin_yk)``, linear memory.

    A matrix product of exponentials instead of a (B, K, K) tensor. The
    largest rival of each label is not always the largest score, so a floor
    keeps the logarithm finite where the others underflow.
    """
    factor = margin.exp().fill_diagonal_(0)
    peak = scores.amax(dim=1, keepdim=True)
    total = (scores - peak).exp() @ factor.t()
    return total.clamp_min(torch.finfo(total.dtype).tiny).log() + peak


def is_fisher_consistent(
    alpha: Sequence[float] | Tensor,
    delta: Sequence[Sequence[float]] | Tensor,
    prior: Sequence[float] | Tensor,
    tolerance: float = 1e-6,
) -> bool:
    """Whether (alpha, Delta) minimises the balanced error.

    It does if for some positive ``d`` both ``alpha_y = d_y / pi_y`` and
    ``Delta_yk = log(d_k / d_y)`` hold: Theorem 1 of `Long-tail learning via
    logit adjustment <https://arxiv.org/abs/2007.07314>`_. The first
    condition leaves one candidate for ``d``.

    Args:
        alpha: (C,) label weights, positive.
        delta: (C, C) margins, rows are labels; the diagonal is ignored.
        prior: (C,) class prior, positive.
        tolerance: Largest absolute deviation of a margin.

    Raises:
        ValueError: If the shapes differ or alpha or prior is not positive.
    """
    alpha, delta, prior = (
        torch.as_tensor(value, dtype=torch.float64)
        for value in (alpha, delta, prior)
    )
    num_classes = prior.numel()
    if alpha.shape != (num_classes,) or delta.shape != (num_classes,) * 2:
        raise ValueError(
            f'alpha {tuple(alpha.shape)} and delta {tuple(delta.shape)} do '
            f'not fit a prior of {num_classes} classes: expected (C,), (C, C)'
        )
    for name, value in (('alpha', alpha), ('prior', prior)):
        if not bool((value > 0).all() and value.isfinite().all()):
            raise ValueError(f'{name} must be positive, got {value.tolist()}')
    log_d = (alpha * prior).log()
    expected = log_d.unsqueeze(0) - log_d.unsqueeze(1)
    deviation = (delta - expected).fill_diagonal_(0).abs()
    return bool((deviation <= tolerance).all())


Margins = tuple[Tensor, Tensor, Tensor]
"""(C,) each: alpha, label margin a, rival margin b."""


def balanced(log_pi: Tensor, log_ratio: Tensor, tau: float) -> Margins:
    """``alpha = pi_y^-tau``, no margin: the balanced loss at tau = 1."""
    zero = torch.zeros_like(log_pi)
    return (-tau * log_ratio).exp(), zero, zero


def adaptive(log_pi: Tensor, log_ratio: Tensor, tau: float) -> Margins:
    """``Delta = tau * pi_y^(-1/4)``: the adaptive margin of LDAM."""
    zero = torch.zeros_like(log_pi)
    return torch.ones_like(log_pi), tau * (-log_pi / 4).exp(), zero


def equalised(log_pi: Tensor, log_ratio: Tensor, tau: float) -> Margins:
    """``Delta = tau * log pi_k``: rare rivals are pushed less."""
    zero = torch.zeros_like(log_pi)
    return torch.ones_like(log_pi), zero, tau * log_ratio


def logit_adjusted(log_pi: Tensor, log_ratio: Tensor, tau: float) -> Margins:
    """``Delta = tau * log(pi_k / pi_y)``: the logit-adjusted loss."""
    return torch.ones_like(log_pi), -tau * log_ratio, tau * log_ratio


PRESETS = {
    preset.__name__: preset
    for preset in (balanced, adaptive, equalised, logit_adjusted)
}


@MODELS.register_module()
class PairwiseMarginLoss(SoftmaxLoss):
    """The general pairwise margin loss, by preset or by (alpha, Delta).

    See :func:`pairwise_margin_loss`, and :func:`is_fisher_consistent` for
    which choices minimise the balanced error.

    Args:
        preset (str | None): ``'balanced'``, ``'adaptive'``, ``'equalised'``
            or ``'logit_adjusted'``, from the class prior. None: ``alpha``
            and ``delta`` are given.
        tau (float): Scale of the preset. Defaults to 1.0.
        alpha (Sequence[float] | None): (C,) label weights; with
            ``preset=None`` only. Defaults to ones.
        delta (Sequence[Sequence[float]] | None): (C, C) margins, row label
            and column rival; with ``preset=None`` only. Defaults to zeros.
        class_stats (ClassStats | dict | list | str | None): See
            :class:`~mmlt.models.losses.base.SoftmaxLoss`, also for targets.
        by (str): Prior from ``'image'`` or ``'instance'`` counts.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.log_prior`.
        background (str | float): The background's prior in a detection
            head: ``'mean'``, ``'sum'`` or a number, see there. With
            ``preset=None`` the background has weight 1 and no margins.
        **kwargs: ``reduction`` and ``loss_weight`` of the same class.

    Raises:
        ValueError: For an unknown preset, non-finite numbers, or alpha and
            delta that do not fit each other or come with a preset.
    """

    def __init__(
        self,
        preset: str | None = 'logit_adjusted',
        tau: float = 1.0,
        alpha: Sequence[float] | None = None,
        delta: Sequence[Sequence[float]] | None = None,
        class_stats: Any = None,
        by: str = 'image',
        zero_count: str = 'error',
        background: str | float = 'mean',
        **kwargs: Any,
    ) -> None:
        if preset is not None and preset not in [*PRESETS]:
            raise ValueError(
                f'preset must be one of {sorted(PRESETS)}, or None with '
                f'alpha and delta, got {preset!r}'
            )
        given = alpha is not None or delta is not None
        if given == (preset is not None):
            raise ValueError(
                'give either a preset or alpha and / or delta (with '
                f'preset=None); got preset={preset!r}, alpha and delta '
                f'{"given" if given else "not given"}'
            )
        self.preset = preset
        self.tau = check_finite('tau', tau)
        warn_of_tau(type(self).__name__, tau)
        self.prior = check_prior(by, zero_count, background)
        super().__init__(class_stats, **kwargs)
        if given:
            alpha, delta = _as_margins(alpha, delta)
            self.register_buffer('alpha', alpha, persistent=False)
            self.register_buffer('delta', delta, persistent=False)

    @property
    def needs_class_stats(self) -> bool:
        """Given margins need none."""
        return self.preset is not None

    def tables(self, stats: ClassStats) -> dict[str, np.ndarray]:
        """Log prior (C,), absolute and relative to the background's."""
        if self.preset is None:
            return {}
        return {
            'log_pi': stats.log_prior(**{**self.prior, 'background': 'sum'}),
            'log_ratio': stats.log_prior(**self.prior),
        }

    def element_loss(self, cls_score: Tensor, target: Tensor) -> Tensor:
        columns = cls_score.size(1)
        if self.preset is None:
            alpha = with_background(self.alpha, columns, 1.0)
            zero = torch.zeros_like(alpha)
            extra = columns - len(self.delta)
            margin = F.pad(self.delta, (0, extra, 0, extra))
            return pairwise_margin_loss(
                cls_score, target, alpha, zero, zero, margin
            )
        # Among the classes alone the priors count as they are.
        plain = columns == len(self.log_pi)
        margins = PRESETS[self.preset](
            self.log_pi, self.log_pi if plain else self.log_ratio, self.tau
        )
        alpha, label_margin, rival_margin = (
            with_background(each, columns, fill)
            for each, fill in zip(margins, (1.0, 0.0, 0.0), strict=True)
        )
        return pairwise_margin_loss(
            cls_score, target, alpha, label_margin, rival_margin
        )


def _as_margins(
    alpha: Sequence[float] | None, delta: Sequence[Sequence[float]] | None
) -> tuple[Tensor, Tensor]:
    """The (C,) weights and (C, C) margins of the config, checked."""
    try:
        if alpha is None:
            alpha = [1.0] * len(delta)
        if delta is None:
            delta = torch.zeros(len(alpha), len(alpha))
        alpha = torch.as_tensor(alpha, dtype=torch.float32)
        delta = torch.as_tensor(delta, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise TypeError(
            f'alpha and delta must hold numbers, got {alpha} and {delta}'
        ) from error
    if alpha.dim() != 1 or delta.shape != (len(alpha), len(alpha)):
        raise ValueError(
            f'alpha {tuple(alpha.shape)} and delta {tuple(delta.shape)} must '
            'have the shapes (C,) and (C, C)'
        )
    if not bool(alpha.isfinite().all() and (alpha >= 0).all()):
        raise ValueError(f'alpha must be finite and >= 0, got {alpha}')
    if not bool(delta.isfinite().all()):
        raise ValueError('delta must be finite; 0 is no margin')
    return alpha, delta
