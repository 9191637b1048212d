"""Names of classes: whose order labels, statistics and scores have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def class_names(dataset: Any) -> tuple[str, ...] | None:
    """(C,) names of a data set, through all wrappers; None if it has none."""
    while not hasattr(dataset, 'metainfo'):
        # PyTorch's own wrappers do not pass it on.
        if hasattr(dataset, 'datasets'):
            dataset = dataset.datasets[0]
        elif hasattr(dataset, 'dataset'):
            dataset = dataset.dataset
        else:
            return None
    names = dataset.metainfo.get('classes')
    return tuple(str(name) for name in names) if names else None


def check_same_classes(
    trained: Sequence[str] | None,
    tested: Sequence[str] | None,
    trained_on: str,
    tested_on: str,
) -> None:
    """Raise unless labels mean the same in both.

    Args:
        trained (Sequence[str] | None): (C,) names; None is equal to all.
        tested (Sequence[str] | None): (C,) names.
        trained_on (str): Whose names the first ones are, for errors.
        tested_on (str): Likewise.

    Raises:
        ValueError: If numbers, names or their order differ.
    """
    if trained is None or tested is None or trained == tested:
        return
    if len(trained) != len(tested):
        raise ValueError(
            f'{tested_on} has {len(tested)} classes, but {trained_on} and its '
            f'class statistics hold {len(trained)}; give both the same '
            'metainfo=dict(classes=...), or the same folders'
        )
    raise ValueError(
        f'{tested_on} has other class names than {trained_on}: '
        f'{first_difference(trained, tested)}. A label would mean another '
        'class there; give both the same folders, or the same '
        'metainfo=dict(classes=...) if only the spelling differs'
    )


def first_difference(mine: Sequence[str], theirs: Sequence[str]) -> str:
    """In words, of names that are as many; a name that is new goes first."""
    differ = [k for k, name in enumerate(theirs) if mine[k] != name]
    new = (k for k in differ if theirs[k] not in mine)
    first = next(new, differ[0])
    return f'class {first} is {mine[first]!r} against {theirs[first]!r}'
