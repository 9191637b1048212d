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
    logits: Tensor, loss: str, scale: float = 2.0, bias: float = 0.0
) -> Tensor:
    """Gradient of a loss with respect to the logit of one negative label.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_, section
    3.2. Softmax and sigmoid differ: once the positive logit dominates, the
    cross entropy leaves a negative one alone, and the binary cross entropy
    goes on pushing it down.

    Args:
        logits (Tensor): (M,) values of the negative logit.
        loss (str): ``'ce'``, softmax of two classes with the positive logit
            0; ``'bce'``; or ``'ntr'``, negative-tolerant regularisation
            without the other parts.
        scale (float): ``lambda`` of ``'ntr'``.
        bias (float): ``nu`` of ``'ntr'``.

    Returns:
        Tensor: (M,) gradients, >= 0.

    Raises:
        ValueError: For an unknown loss.
    """
    logits = logits.detach().requires_grad_()
    if loss == 'ce':
        pair = torch.stack([torch.zeros_like(logits), logits], dim=1)
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
    path: str | Path, scales: tuple[float, ...] = (2.0, 5.0), bias: float = 0.0
) -> None:
    """Draw the gradients over the logit: the paper's Figures 2 and 3.

    Args:
        path (str | Path): The image file to write.
        scales (tuple[float]): Values of ``lambda``.
        bias (float): ``nu``.
    """
    logits = torch.linspace(-6, 6, 241)
    figure = Figure(figsize=(5, 3.5), layout='constrained')
    axes = figure.add_subplot()
    for loss, name in (('ce', 'cross entropy'), ('bce', 'BCE')):
        axes.plot(logits, negative_gradient(logits, loss), label=name)
    for scale in scales:
        axes.plot(
            logits,
            negative_gradient(logits, 'ntr', scale, bias),
            label=f'NTR, lambda = {scale:g}',
        )
    axes.set_xlabel('logit of the negative label')
    axes.set_ylabel('gradient')
    axes.legend()
    figure.savefig(path, dpi=150)
