"""The table of all classes. C classes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.box import ASCII
from rich.console import Console
from rich.table import Table


def class_table(
    title: str,
    classes: Sequence[Any],
    groups: Sequence[str],
    counts: Mapping[str, Sequence[int]],
    values: Mapping[str, Sequence[float]],
) -> str:
    """A row for each class, the most frequent in training first.

    Args:
        title (str): Above the table.
        classes (Sequence): C names.
        groups (Sequence[str]): The name of the group of each class.
        counts (Mapping[str, Sequence[int]]): Heading to C counts, those of
            the training set first.
        values (Mapping[str, Sequence[float]]): Heading to C values in
            percent; NaN is shown as ``-``.

    Returns:
        str: Lines of ASCII.
    """
    table = Table(title=title, box=ASCII)
    for heading in ('class', 'group'):
        table.add_column(heading)
    for heading in (*counts, *values):
        table.add_column(heading, justify='right')
    frequency = next(iter(counts.values()))
    for k in np.argsort(np.negative(frequency), kind='stable'):
        table.add_row(
            str(classes[k]),
            groups[k],
            *(str(count[k]) for count in counts.values()),
            *(
                '-' if np.isnan(value[k]) else f'{value[k]:.2f}'
                for value in values.values()
            ),
        )
    text = io.StringIO()
    Console(file=text, width=100, markup=False, emoji=False).print(table)
    return text.getvalue()
