"""Checks of the arguments of models; each raises with the cure."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def is_number(value: Any) -> bool:
    """Whether it is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)


def is_size(value: Any) -> bool:
    """Whether it is a whole number >= 1; True is none."""
    return isinstance(value, Integral) and is_number(value) and value >= 1


def check_number(
    name: str, value: Any, least: float = 0.0, positive: bool = False
) -> float:
    """``value``; raises unless it is finite and >= ``least`` (or > 0)."""
    if not is_number(value):
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
    if not is_number(value):
        raise TypeError(f'{name} must be a number, got {value!r}')
    if not 0 <= value <= 1:
        raise ValueError(f'{name} must be in [0, 1], got {value}')
    return value


def check_size(name: str, value: Any, least: int = 1) -> int:
    """``value``; raises unless it is a whole number >= ``least``."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f'{name} must be a whole number, got {value!r}')
    if value < least:
        raise ValueError(f'{name} must be >= {least}, got {value}')
    return value


def check_switch(name: str, value: Any) -> bool:
    """``value``; raises unless it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be True or False, got {value!r}')
    return value
