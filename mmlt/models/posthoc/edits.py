"""What can be done to a trained classifier: edits of its last linear layer.

Shape letters: C classes, K rows of the layer (C, or C + 1 with the background
last, as in MMDetection), D features.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmlt.checks import check_switch
from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import HOW_TO_GIVE_STATS
from mmlt.models.losses.base import with_background
from mmlt.models.losses.checks import check_prior, warn_of_tau
from mmlt.registry import TASK_UTILS

from .checks import (
    adjusting_losses,
    check_layer,
    check_reference,
    check_tau,
    losses_without_softmax,
)


def adjust_logits(
    weight: Tensor, bias: Tensor | None, log_prior: Tensor, tau: float
) -> tuple[Tensor, Tensor]:
    """Post-hoc logit adjustment: ``b_k - tau * log pi_k``.

    `Long-tail learning via logit adjustment
    <https://arxiv.org/abs/2007.07314>`_, Eq. 9. The background row, if there
    is one, does not change.

    Args:
        weight (Tensor): (K, D), or (K, D, 1, 1) of a 1x1 convolution.
        bias (Tensor | None): (K,). None counts as zeros.
        log_prior (Tensor): (C,) log class prior.
        tau (float): Scale of the log prior.

    Returns:
        tuple[Tensor, Tensor]: New weight and bias.

    Raises:
        ValueError: If ``tau`` or ``log_prior`` is not finite or the shapes
            do not fit.
    """
    check_tau(tau)
    if log_prior.dim() != 1 or not log_prior.isfinite().all():
        raise ValueError(
            'log_prior must hold one finite number for each class, got the '
            f'shape {tuple(log_prior.shape)} and the values {log_prior}; see '
            'zero_count for classes without training images'
        )
    check_layer(weight, bias, len(log_prior))
    if bias is None:
        bias = weight.new_zeros(len(weight))
    log_prior = log_prior.to(bias.device, torch.float64)
    offset = tau * with_background(log_prior, len(weight), 0.0)
    return weight.clone(), (bias.double() - offset).to(bias.dtype)


def tau_normalize(
    weight: Tensor,
    bias: Tensor | None,
    tau: float,
    keep_bias: bool = False,
    num_classes: int | None = None,
    reference: str | float = 1.0,
) -> tuple[Tensor, Tensor | None]:
    """Tau-norm: ``w_k * (r / ||w_k||)^tau``, with the reference norm r.

    `Decoupling Representation and Classifier for Long-Tailed Recognition
    <https://arxiv.org/abs/1910.09217>`_, Eq. 4, where r = 1. Rows of norm
    zero stay zero. The background row and its bias do not change.

    Note:
        The authors' code drops the bias. Where nothing is kept as it is,
        neither a bias nor a background, r scales all logits alike and
        changes no prediction. Beside a background, ``'mean'`` keeps the
        classes as a whole where they were.

    Args:
        weight (Tensor): (K, D), or (K, D, 1, 1) of a 1x1 convolution.
        bias (Tensor | None): (K,).
        tau (float): 0 changes no weight, 1 gives all classes the norm r.
        keep_bias (bool): Whether to keep the bias of the classes, else it
            becomes zero. Defaults to False.
        num_classes (int | None): C. Defaults to K: no background.
        reference (str | float): r, or ``'mean'``: mean norm of the classes.

    Returns:
        tuple[Tensor, Tensor | None]: New weight and bias.

    Raises:
        TypeError: If ``keep_bias`` is neither True nor False.
        ValueError: If ``tau`` or ``reference`` is unusable or the shapes do
            not fit.
    """
    check_tau(tau)
    check_reference(reference)
    check_switch('keep_bias', keep_bias)
    num_classes = len(weight) if num_classes is None else num_classes
    check_layer(weight, bias, num_classes)
    rows = weight[:num_classes].double()
    norm = rows.flatten(1).norm(dim=1)
    target = norm.mean() if reference == 'mean' else reference
    scale = torch.where(norm > 0, (target / norm) ** tau, 1.0)
    if not scale.isfinite().all():
        raise ValueError(f'tau={tau} makes weights infinite; 1.0 is the usual')
    scale = scale.view(-1, *[1] * (weight.dim() - 1))
    new_weight = weight.clone()
    new_weight[:num_classes] = (rows * scale).to(weight.dtype)
    if bias is not None:
        bias = bias.clone()
        if not keep_bias:
            bias[:num_classes] = 0
    return new_weight, bias


class BiasEdit:
    """Base of the edits that take a number of each class off its logit.

    For models trained with plain cross entropy. A subclass writes
    :meth:`offset`; the background, if there is one, stays as it is.
    """

    def offset(self, stats: ClassStats) -> np.ndarray:
        """(C,) float64, what is taken off the bias: the formula."""
        raise NotImplementedError

    def __call__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        num_classes: int,
        stats: ClassStats | None,
    ) -> tuple[Tensor, Tensor]:
        """New weight and bias of a layer with ``num_classes`` classes."""
        name = type(self).__name__
        if stats is None:
            raise ValueError(
                f'{name} has no class statistics: {HOW_TO_GIVE_STATS}'
            )
        if stats.num_classes != num_classes:
            raise ValueError(
                f'the classifier has {num_classes} classes, but the class '
                f'statistics hold {stats.num_classes}; give class_stats of '
                'the data that the model was trained on'
            )
        offset = torch.from_numpy(self.offset(stats))
        return adjust_logits(weight, bias, offset, 1.0)

    def check_model(self, model: nn.Module) -> None:
        """Raise if its logits are adjusted already, or of no softmax."""
        name = type(self).__name__
        for where, loss in adjusting_losses(model).items():
            raise ValueError(
                f'{where} is a {type(loss).__name__}, whose raw logits are '
                'adjusted already: use either the loss or the post-hoc edit '
                f'{name}, never both'
            )
        for where, loss in losses_without_softmax(model).items():
            raise ValueError(
                f'{where} is a {type(loss).__name__}, whose scores of boxes '
                f'are no softmax over classes and background; {name} is for '
                'detectors trained with plain cross entropy'
            )


@TASK_UTILS.register_module()
@dataclass(frozen=True)
class LogitAdjustment(BiasEdit):
    """:func:`adjust_logits` with the prior of the training set.

    For models trained with plain cross entropy: either this or
    ``LogitAdjustedLoss``, never both.

    Args:
        tau (float): Scale of the log prior. Defaults to 1.0.
        by (str): Prior from ``'image'`` or ``'instance'`` counts.
        zero_count (str): ``'error'`` or ``'one'``, see
            :meth:`mmlt.class_stats.ClassStats.log_prior`.
        background (str | float): ``'mean'``, ``'sum'`` or a prior, see
            there.

    Raises:
        ValueError: If ``tau`` is not finite or a policy is unknown.
    """

    tau: float = 1.0
    by: str = 'image'
    zero_count: str = 'error'
    background: str | float = 'mean'

    def __post_init__(self) -> None:
        check_tau(self.tau)
        warn_of_tau(type(self).__name__, self.tau)
        check_prior(self.by, self.zero_count, self.background)

    def offset(self, stats: ClassStats) -> np.ndarray:
        """``tau * (log pi_k - log pi_bg)``."""
        return self.tau * stats.log_prior(
            self.by, self.zero_count, self.background
        )


@TASK_UTILS.register_module()
@dataclass(frozen=True)
class TauNorm:
    """:func:`tau_normalize` as a part of a config.

    Args:
        tau (float): 0 changes no weight, 1 gives all classes one norm.
        keep_bias (bool): Whether to keep the bias of the classes.
        reference (str | float): Reference norm, or ``'mean'``.

    Raises:
        TypeError: If ``keep_bias`` is neither True nor False.
        ValueError: If ``tau`` or ``reference`` is unusable.
    """

    tau: float = 1.0
    keep_bias: bool = False
    reference: str | float = 1.0

    def __post_init__(self) -> None:
        check_tau(self.tau)
        warn_of_tau(type(self).__name__, self.tau)
        check_reference(self.reference)
        check_switch('keep_bias', self.keep_bias)

    def __call__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        num_classes: int,
        stats: ClassStats | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """New weight and bias of a layer with ``num_classes`` classes."""
        return tau_normalize(
            weight,
            bias,
            self.tau,
            self.keep_bias,
            num_classes,
            self.reference,
        )

    def check_model(self, model: nn.Module) -> None:
        """Any linear classifier will do."""


def describe(edit: Any) -> dict:
    """The config of an edit, with all its arguments."""
    return {'type': f'mmlt.{type(edit).__name__}', **asdict(edit)}
