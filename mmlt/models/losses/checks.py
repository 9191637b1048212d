"""Checks of what losses are given; each raises with the cure."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor


def check_reduction(reduction: str) -> None:
    """Raise unless ``reduction`` is ``'none'``, ``'mean'`` or ``'sum'``."""
    if reduction not in ('none', 'mean', 'sum'):
        raise ValueError(
            f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}"
        )


def check_number(
    name: str, value: Any, least: float = 0.0, positive: bool = False
) -> float:
    """``value``; raises unless it is finite and >= ``least`` (or > 0)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f'{name} must be a number, got {value!r}')
    if not math.isfinite(value) or value < least or (positive and not value):
        bound = ' and > 0' if positive else ''
        bound = bound or (f' and >= {least:g}' if least > -math.inf else '')
        raise ValueError(f'{name} must be finite{bound}, got {value}')
    return value


def check_finite(name: str, value: Any) -> float:
    """``value``; raises unless it is a finite number."""
    return check_number(name, value, least=-math.inf)


def check_share(name: str, value: Any) -> float:
    """``value``; raises unless it is a number in [0, 1]."""
    if check_number(name, value) > 1:
        raise ValueError(f'{name} must be in [0, 1], got {value}')
    return value


def check_range(target: Tensor, low: int, high: int, allowed: str) -> None:
    """Raise unless all class indices lie in [low, high].

    This waits for the device.

    Args:
        target (Tensor): (B,) integers.
        low (int): Lowest index.
        high (int): Highest index.
        allowed (str): The same in words.
    """
    if not target.numel():
        return
    least, most = (int(each) for each in target.aminmax())
    if least < low or most > high:
        raise ValueError(
            f'target holds labels from {least} to {most}; they must lie in '
            f'{allowed}'
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
