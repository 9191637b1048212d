"""What one logit of a negative label still receives as gradient."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor

from mmlt.models.losses.distribution_balanced_loss import (
    distribution_balanced_loss,
)


def negative_gradient(
    logits: Tensor,
    loss: str,
    scale: float = 2.0,
    bias: float = 0.0,
    positive: float = 0.0,
) -> Tensor:
    """Gradient of a loss with respect to the logit of one negative label.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, section
    3.2. Softmax and sigmoid differ: once the positive logit dominates, the
    cross entropy leaves a negative one alone, and the binary cross entropy
    goes on pushing it down.

    Args:
        logits (Tensor): (M,) values of the negative logit.
        loss (str): ``'ce'``, softmax of two classes; ``'bce'``; or
            ``'ntr'``, negative-tolerant regularisation without the other
            parts.
        scale (float): ``lambda`` of ``'ntr'``.
        bias (float): ``nu`` of ``'ntr'``.
        positive (float): The positive logit of ``'ce'``. At 0, the gradient
            is that of ``'bce'``, which does not depend on other logits.

    Returns:
        Tensor: (M,) gradients, >= 0.

    Raises:
        ValueError: For an unknown loss.
    """
    logits = logits.detach().requires_grad_()
    if loss == 'ce':
        other = torch.full_like(logits, positive)
        pair = torch.stack([other, logits], dim=1)
        label = torch.zeros(len(logits), dtype=torch.long)
        value = F.cross_entropy(pair, label, reduction='sum')
    elif loss in ('bce', 'ntr'):
        column = logits.unsqueeze(1)
        value = distribution_balanced_loss(
            column,
            torch.zeros_like(column),
            bias=logits.new_tensor([bias]),
            rebalance=None,
            ntr=dict(scale=scale) if loss == 'ntr' else None,
            focal=None,
        ).sum()
    else:
        raise ValueError(f"loss must be 'ce', 'bce' or 'ntr', got {loss!r}")
    return torch.autograd.grad(value, logits)[0]


def draw_negative_gradients(
    path: str | Path,
    positives: tuple[float, ...] = (2.0, 4.0),
    scales: tuple[float, ...] = (2.0, 5.0),
    bias: float = 0.0,
) -> None:
    """Draw the gradients over the logit: the paper's Figures 2 and 3.

    Args:
        path (str | Path): The image file to write.
        positives (tuple[float]): Positive logits of the cross entropy.
        scales (tuple[float]): Values of ``lambda``.
        bias (float): ``nu``.
    """
    logits = torch.linspace(-6, 6, 241)
    figure = Figure(figsize=(8, 3.8), layout='constrained')
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        gradient = negative_gradient(logits, 'bce')
        axes.plot(logits, gradient, color='black', label='BCE')
        axes.set_xlabel('logit of a negative label')
        axes.grid(alpha=0.3)
    for positive in positives:
        gradient = negative_gradient(logits, 'ce', positive=positive)
        label = f'CE, positive logit {positive:g}'
        left.plot(logits, gradient, '--', label=label)
    for scale in scales:
        gradient = negative_gradient(logits, 'ntr', scale, bias)
        label = rf'NTR, $\lambda$ = {scale:g}, $\nu$ = {bias:g}'
        right.plot(logits, gradient, '--', label=label)
    left.set_ylabel('gradient')
    for axes in (left, right):
        axes.legend(loc='lower center', bbox_to_anchor=(0.5, 1), frameon=False)
    figure.savefig(path, dpi=100)
