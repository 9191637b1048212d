"""Checks of what losses are given; each raises with the cure."""

from __future__ import annotations

import logging

from mmengine.logging import print_log
from torch import Tensor

from mmlt.checks import check_number
from mmlt.class_stats import ClassStats

# Beyond it hardly anything but the prior counts.
LARGE_TAU = 10


def check_reduction(reduction: str) -> None:
    """Raise unless ``reduction`` is ``'none'``, ``'mean'`` or ``'sum'``."""
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(
            f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
        )


def check_prior(by: str, zero_count: str, background: str | float) -> dict:
    """The policy of a class prior; raises unless it is a known one.

    See :meth:`mmlt.class_stats.ClassStats.log_prior`.
    """
    if not isinstance(background, str):
        check_number('background', background, positive=True)
    policy = dict(by=by, zero_count=zero_count, background=background)
    ClassStats.single_label([1]).log_prior(**policy)
    return policy


def check_range(target: Tensor, low: int, high: int, allowed: str) -> None:
    """Raise unless all class indices lie in [low, high].

    This waits for the device.

    Args:
        target (Tensor): (B,) integers.
        low (int): Lowest index.
        high (int): Highest index.
        allowed (str): The same in words.
    """
    if target.is_floating_point():
        raise ValueError(
            f'target has the dtype {target.dtype}; class labels must be whole '
            'numbers'
        )
    if not target.numel():
        return
    least, most = (int(each) for each in target.aminmax())
    if least < low or most > high:
        raise ValueError(
            f'target holds labels from {least} to {most}; they must lie in '
            f'{allowed}'
        )


def check_distributions(target: Tensor) -> None:
    """Raise unless all rows are distributions over the columns.

    This waits for the device.

    Args:
        target (Tensor): (B, K).
    """
    total = target.sum(dim=1)
    fits = ((total - 1).abs() < 0.01) & (target >= 0).all(dim=1)
    if not fits.all():
        wrong = target[~fits][0].tolist()
        raise ValueError(
            f'target holds the row {wrong}; rows must sum to 1 (mixup, label '
            'smoothing). For several labels an image use a multi-label loss, '
            'such as mmlt.DistributionBalancedLoss, in a multi-label head'
        )


def check_boxes(cls_score: Tensor, target: Tensor, num_columns: int) -> None:
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


def settings(
    name: str, given: dict | None, defaults: dict, positive: tuple = ()
) -> dict | None:
    """Complete the settings of one part of a loss, and check them.

    Args:
        name (str): The argument, for messages.
        given (dict | None): Some of the settings; None turns the part off.
        defaults (dict): All settings.
        positive (tuple[str]): Those that must be > 0; others are >= 0.

    Raises:
        TypeError: If ``given`` is no dict, or a value no number.
        ValueError: For an unknown key, or a number out of range.
    """
    if given is None:
        return None
    if not isinstance(given, dict):
        raise TypeError(
            f'{name} must be a dict of {sorted(defaults)} or None (off), got '
            f'{given!r}'
        )
    unknown = sorted(set(given) - set(defaults))
    if unknown:
        raise ValueError(
            f'{name} has unknown keys {unknown}; known are {sorted(defaults)}'
        )
    result = {**defaults, **given}
    for key, value in result.items():
        check_number(f"{name}['{key}']", value, positive=key in positive)
    return result


def warn_of_tau(owner: str, tau: float) -> None:
    """Say so if ``tau`` is one that hardly anybody means."""
    if 0 <= tau <= LARGE_TAU:
        return
    effect = 'favours frequent classes' if tau < 0 else 'leaves little else'
    print_log(
        f'{owner}: tau={tau} {effect}; 0 changes nothing, 1.0 is the full '
        'correction',
        logger='current',
        level=logging.WARNING,
    )
