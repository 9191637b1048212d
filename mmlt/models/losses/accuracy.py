"""Accuracies that box heads log. R RoIs, C classes."""

from __future__ import annotations

from torch import Tensor


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
