"""Checks of what post-hoc edits take. C classes, K rows, D features."""

from __future__ import annotations

import math

from torch import Tensor, nn

from mmlt.checks import is_number
from mmlt.models.losses.box_logit_adjusted_loss import BoxLogitAdjustedLoss
from mmlt.models.losses.ecm_loss import ECMLoss
from mmlt.models.losses.logit_adjusted_loss import LogitAdjustedLoss
from mmlt.models.losses.multi_label_logit_adjusted_loss import (
    MultiLabelLogitAdjustedLoss,
)
from mmlt.models.losses.pairwise_margin_loss import PairwiseMarginLoss
from mmlt.models.losses.vs_loss import VSLoss

ADJUSTED = (
    BoxLogitAdjustedLoss,
    ECMLoss,
    LogitAdjustedLoss,
    MultiLabelLogitAdjustedLoss,
    VSLoss,
)


def adjusting_losses(model: nn.Module) -> dict[str, nn.Module]:
    """The losses of a model, by name, whose raw logits are adjusted."""
    return {
        name: module
        for name, module in model.named_modules()
        if (isinstance(module, ADJUSTED) and module.tau)
        or (
            isinstance(module, PairwiseMarginLoss)
            and module.preset == 'logit_adjusted'
        )
    }


def losses_without_softmax(model: nn.Module) -> dict[str, nn.Module]:
    """The losses of box heads, by name, that score boxes in another way."""
    heads = {
        f'{name}.loss_cls'.lstrip('.'): head.loss_cls
        for name, head in model.named_modules()
        if hasattr(head, 'fc_cls') and hasattr(head, 'loss_cls')
    }
    return {
        name: loss
        for name, loss in heads.items()
        if getattr(loss, 'custom_activation', False)
        or getattr(loss, 'use_sigmoid', False)
    }


def check_layer(weight: Tensor, bias: Tensor | None, num_classes: int) -> None:
    """Raise unless these are weight and bias of a linear classifier.

    Args:
        weight (Tensor): (K, D) or (K, D, 1, 1).
        bias (Tensor | None): (K,).
        num_classes (int): C.

    Raises:
        ValueError: If the shapes do not fit.
    """
    if weight.dim() != 2 and (weight.dim() != 4 or weight[0, 0].numel() != 1):
        raise ValueError(
            'weight must have the shape (K, D), or (K, D, 1, 1) of a 1x1 '
            f'convolution, got {tuple(weight.shape)}'
        )
    if len(weight) not in (num_classes, num_classes + 1):
        raise ValueError(
            f'weight has {len(weight)} rows: expected {num_classes}, one a '
            f'class, or {num_classes + 1} with the background last'
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f'bias has the shape {tuple(bias.shape)}, but the weight '
            f'{tuple(weight.shape)} needs ({len(weight)},)'
        )


def check_tau(tau: float) -> None:
    """Raise unless ``tau`` is a finite number."""
    if not is_number(tau) or not math.isfinite(tau):
        raise ValueError(
            f'tau must be a finite number, got {tau!r}; 0 changes nothing, '
            '1.0 is the full correction'
        )


def check_reference(reference: str | float) -> None:
    """Raise unless it is ``'mean'`` or a positive norm."""
    if reference == 'mean':
        return
    if not is_number(reference) or not 0 < reference < math.inf:
        raise ValueError(
            f"reference must be 'mean' or a positive norm, got {reference!r}"
        )
