"""How large the objects of a training set are. C classes, S sizes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from numbers import Real

from mmlt.checks import check_list, check_number

# The first areas of medium and of large objects.
COCO_BOUNDS = (32**2, 96**2)


def check_bounds(bounds: Sequence[float]) -> tuple[float, ...]:
    """The bounds; raises unless they are positive areas that rise.

    Args:
        bounds (Sequence[float]): S - 1 areas in square pixels, each the first
            of the next size.
    """
    bounds = check_list('bounds', bounds, Real)
    for low, high in pairwise((0, *bounds)):
        check_number('bounds', high, positive=True)
        if high <= low:
            raise ValueError(
                'bounds must rise strictly, such as (1024, 9216), areas in '
                f'square pixels, got {bounds}'
            )
    return bounds


def size_names(number: int) -> list[str]:
    """Names of S sizes, the smallest first.

    Example:
        >>> size_names(2)
        ['small', 'large']
    """
    names = ['small', 'medium', 'large']
    if number == 2:
        return [names[0], names[2]]
    if number == 3:
        return names
    return [f'size{index}' for index in range(number)]
