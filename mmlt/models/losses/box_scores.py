"""What losses of box heads share. R RoIs, C classes.

MMDetection's box heads ask a loss that defines ``custom_cls_channels``,
``custom_activation`` and ``custom_accuracy`` for the columns of the
classifier, the scores of boxes and the accuracies to log.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def check_num_classes(loss: nn.Module, num_classes: int) -> None:
    """Raise unless the head has as many classes as its loss."""
    if num_classes != loss.num_classes:
        raise ValueError(
            f'the head has num_classes={num_classes} and its '
            f'{type(loss).__name__} {loss.num_classes}; set both to the '
            'number of classes'
        )


def check_labels(cls_score: Tensor, target: Tensor, num_columns: int) -> None:
    """Raise unless there are ``num_columns`` scores and a label an RoI."""
    if cls_score.dim() != 2 or cls_score.size(1) != num_columns:
        raise ValueError(
            f'cls_score has the shape {tuple(cls_score.shape)}, expected '
            f'(R, {num_columns}), the columns of the loss; set num_classes of '
            'the loss and of the head to the number of classes'
        )
    if target.shape != cls_score.shape[:1]:
        raise ValueError(
            f'target has the shape {tuple(target.shape)}; cls_score '
            f'{tuple(cls_score.shape)} needs (R,) labels, not soft ones'
        )


def class_accuracy(scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Accuracy of the foreground RoIs among the classes, in percent.

    Args:
        scores (Tensor): (R, C) scores of the classes.
        labels (Tensor): (R,) with C for the background.
    """
    foreground = labels < scores.size(1)
    correct = scores.argmax(dim=1) == labels
    return {'acc_classes': percentage(correct, foreground)}


def percentage(correct: Tensor, among: Tensor) -> Tensor:
    """How many of ``among`` are correct, in percent; 0 of none.

    Args:
        correct (Tensor): (R, ...) bool.
        among (Tensor): (R, ...) bool.

    Returns:
        Tensor: (...), over the RoIs.
    """
    hits = (correct & among).sum(dim=0)
    return 100.0 * hits / among.sum(dim=0).clamp(min=1)


class SigmoidBoxLoss:
    """Mixin of losses with C sigmoids and no column for the background.

    The background is the RoI without a positive class.
    """

    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def get_cls_channels(self, num_classes: int) -> int:
        """Columns of the classifier: C."""
        check_num_classes(self, num_classes)
        return num_classes

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """Scores of the classes, and last that of the background.

        Args:
            cls_score (Tensor): (R, C) logits.

        Returns:
            Tensor: (R, C + 1), that of the background being 1 - the highest.
        """
        scores = cls_score.sigmoid()
        background = 1 - scores.amax(dim=1, keepdim=True)
        return torch.cat([scores, background], dim=1)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict:
        """See :func:`class_accuracy`."""
        return class_accuracy(cls_score, labels)
