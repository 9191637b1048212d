"""Checks of arguments; each raises with the name, the value and the cure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

# Up to here float64 holds whole numbers; PyTorch takes them up to 2**63.
LARGEST = 2**53


def is_number(value: Any) -> bool:
    """Whether it is a real number that a float can be.

    True and False are none.
    """
    if isinstance(value, Integral):
        return not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, Real)


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
    if not isinstance(value, Integral) or not is_number(value):
        raise TypeError(f'{name} must be a whole number, got {value!r}')
    if value < least:
        raise ValueError(f'{name} must be >= {least}, got {value}')
    return value


def check_switch(name: str, value: Any) -> bool:
    """``value``; raises unless it is True or False."""
    if not isinstance(value, bool):
        raise TypeError(f'{name} must be True or False, got {value!r}')
    return value


def check_list(name: str, value: Any, kind: type = str) -> tuple:
    """The items; raises unless it is a list of at least one, all ``kind``."""
    if not (
        isinstance(value, Sequence)
        and not isinstance(value, (str, bytes))
        and value
        and all(isinstance(item, kind) for item in value)
    ):
        raise TypeError(
            f'{name} must be a list of {kind.__name__}, got {value!r}'
        )
    return tuple(value)


def check_path(name: str, value: Any) -> str | Path:
    """``value``; raises unless it is a path, and not an empty one."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise TypeError(f'{name} must be a path, got {value!r}')
    return value
