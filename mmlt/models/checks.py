"""Checks of the arguments of models: those of :mod:`mmlt.checks`."""

from mmlt.checks import (
    check_finite,
    check_list,
    check_number,
    check_path,
    check_share,
    check_size,
    check_switch,
    is_number,
    is_size,
)

__all__ = [
    'check_finite',
    'check_list',
    'check_number',
    'check_path',
    'check_share',
    'check_size',
    'check_switch',
    'is_number',
    'is_size',
]
