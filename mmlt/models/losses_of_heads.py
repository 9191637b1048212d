"""Whether the heads of a detector can take their losses."""

from __future__ import annotations

from torch import nn

from .losses.base import BoxLoss, MultiLabelLoss, SoftmaxLoss

# They give a loss qualities in the place of labels, or ask it for the parts
# of each class.
OTHER_TARGETS = {
    'CenterNetHead',
    'FSAFHead',
    'GFLHead',
    'PAAHead',
    'RTMDetHead',
    'TOODHead',
    'VFNetHead',
    'YOLOXHead',
}


def check_losses_of_heads(model: nn.Module) -> None:
    """Raise for a loss of mmlt in a head of MMDetection that cannot take it.

    Args:
        model (nn.Module): A detector; others are all right.

    Raises:
        ValueError: Names the head, the loss, and what to use instead.
    """
    for name, head in model.named_modules():
        loss = getattr(head, 'loss_cls', None)
        if not isinstance(loss, (BoxLoss, MultiLabelLoss, SoftmaxLoss)):
            continue
        is_dense = hasattr(head, 'cls_out_channels')
        wrong = _in_dense_head if is_dense else _in_box_head
        reason = wrong(head, loss)
        if reason is not None:
            raise ValueError(
                f'{name or "the model"}: {type(head).__name__} cannot take '
                f'loss_cls={type(loss).__name__}: {reason}'
            )


def _in_dense_head(head: nn.Module, loss: nn.Module) -> str | None:
    """What is wrong with a loss of anchors, points or queries."""
    known = OTHER_TARGETS & {base.__name__ for base in type(head).__mro__}
    if known:
        return (
            'the head gives no plain labels to its loss; use RetinaHead, '
            'ATSSHead, FCOSHead or DeformableDETRHead, or the loss that the '
            'head was made for'
        )
    if isinstance(loss, SoftmaxLoss):
        return None  # With C + 1 columns, the last being the background.
    number = head.num_classes
    if isinstance(loss, BoxLoss) and not loss.use_sigmoid:
        if not loss.in_dense_heads:
            return (
                'it has columns of its own for the background, and scores '
                'that a dense head does not ask for; use a loss of sigmoids, '
                'such as mmlt.EFLLoss or mmlt.SigmoidSeesawLoss'
            )
        return (
            f'set use_sigmoid=True and num_classes={number} in its config, '
            'which the head reads'
        )
    if head.cls_out_channels != number:
        return 'set use_sigmoid=True in its config, which the head reads'
    if isinstance(loss, BoxLoss) and loss.num_classes != number:
        return (
            f'it has num_classes={loss.num_classes}, the head {number}; set '
            'both to the number of classes'
        )
    return None


def _in_box_head(head: nn.Module, loss: nn.Module) -> str | None:
    """What is wrong with a loss of RoIs."""
    if isinstance(loss, SoftmaxLoss):
        return None
    if isinstance(loss, MultiLabelLoss):
        return (
            'it is for dense heads and classifiers; use a loss for box '
            'heads, such as mmlt.BoxFocalLoss or mmlt.EQLv2Loss'
        )
    if loss.use_sigmoid:
        return (
            'use_sigmoid=True is for dense heads (RetinaNet, ...); leave it '
            'out'
        )
    if not getattr(head, 'custom_activation', False):
        return (
            'the head never asks a loss for its columns and scores; use '
            'Shared2FCBBoxHead, or another BBoxHead'
        )
    return None
