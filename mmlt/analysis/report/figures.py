"""The figures of the page: SVG whose colours follow the page's.

The drawings are those of the other tools. They are drawn with certain colours,
which are then replaced by variables of the page's style sheet, so that they
change with it from light to dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from io import StringIO
from itertools import zip_longest
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

INK, LINE, SERIES = '#010203', '#cccccc', 6
CYCLE = [f'#0000{k:02x}' for k in range(0xA0, 0xA0 + SERIES)]
STYLE = {
    'svg.fonttype': 'none',
    # The same report has the same bytes.
    'svg.hashsalt': 'mmlt',
    'savefig.format': 'svg',
    'savefig.transparent': True,
    'font.family': 'sans-serif',
    'font.size': 12,
    'legend.fontsize': 'small',
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.prop_cycle': f'cycler("color", {CYCLE})',
    **dict.fromkeys(
        (
            'text.color', 'axes.labelcolor', 'axes.edgecolor',
            'axes.titlecolor', 'xtick.color', 'ytick.color',
            'legend.labelcolor',
        ),
        INK,
    ),
    'legend.facecolor': 'none',
    'grid.color': LINE,
}  # fmt: skip


def as_svg(draw: Callable, *args: Any, groups: int = 3, **kwargs: Any) -> str:
    """What a drawing function writes, to stand in a page.

    Args:
        draw (Callable): Takes the arguments and, as ``path``, what to write
            to.
        *args: Of ``draw``.
        groups (int): Groups of classes that it may colour.
        **kwargs: Of ``draw``.
    """
    file = StringIO()
    with rc_context(STYLE):
        draw(*args, path=file, **kwargs)
    svg = file.getvalue()
    variables = {
        INK: 'ink', '#000000': 'ink', '#666666': 'soft', '#bfbfbf': 'line',
        LINE: 'line', '#b0b0b0': 'line', '#d9d9d9': 'line',
        **{color: f's{k}' for k, color in enumerate(CYCLE)},
        **{
            to_hex(color): f'g{round(2 * g / max(groups - 1, 1))}'
            for g, color in enumerate(
                colormaps['viridis'](np.linspace(0, 0.85, groups))
            )
        },
    }  # fmt: skip
    for color, name in variables.items():
        svg = svg.replace(color, f'var(--{name})')
    # Black is the default of SVG, and thus left out.
    svg = svg.replace('<svg ', '<svg fill="var(--ink)" role="img" ', 1)
    svg = re.sub(r'^.*?(?=<svg )', '', svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    # The page scales it.
    return re.sub(r'(<svg [^>]*?) width="\S+" height="\S+"|', r'\1', svg)


def draw_reliability(runs: dict[str, dict[str, dict]], path: Any) -> None:
    """Draw accuracy against confidence, a panel for all and for each group.

    Args:
        runs (dict[str, dict[str, dict]]): Of each run, what
            :func:`mmlt.analysis.report.predictions.grouped_reliability`
            returns.
        path: What to write to.
    """
    parts = list(next(iter(runs.values())))
    rows = math.ceil(len(parts) / 2)
    figure = Figure(figsize=(6.5, 0.4 + 2.4 * rows), layout='constrained')
    panels = figure.subplots(
        rows, 2, sharex=True, sharey=True, squeeze=False
    ).flat
    for part, axes in zip_longest(parts, panels):
        if part is None:
            axes.set_axis_off()
            continue
        axes.set_title(part, fontsize='medium')
        axes.plot([0, 1], [0, 1], '--', color=LINE)
        for name, calibration in runs.items():
            each = calibration[part]
            known = np.flatnonzero(each['count'])
            axes.plot(
                np.take(each['confidence'], known),
                np.take(each['accuracy'], known),
                'o-',
                markersize=4,
                label=name if part == parts[0] else None,
            )
    figure.supxlabel('confidence', fontsize='medium')
    figure.supylabel('share that is right', fontsize='medium')
    figure.legend(loc='outside upper center', ncols=2, frameon=False)
    figure.savefig(path)


def draw_scores(
    order: np.ndarray,
    groups: np.ndarray,
    scores: dict[str, Sequence[float]],
    measure: str,
    path: Any,
) -> None:
    """Draw the scores of the classes, a running mean if they are many.

    Args:
        order (np.ndarray): (C,) classes by falling frequency.
        groups (np.ndarray): (C,) of each class; lines part them.
        scores (dict[str, Sequence[float]]): Of each run, (C,) in percent.
        measure (str): What they are.
        path: What to write to.
    """
    figure = Figure(figsize=(6.5, 4.2), layout='constrained')
    axes = figure.add_subplot()
    width = max(len(order) // 30, 1)
    for name, values in scores.items():
        values = np.asarray(values, dtype=float)[order]
        known = np.flatnonzero(~np.isnan(values))
        kernel = np.full(min(width, max(len(known), 1)), 1.0)
        kernel /= len(kernel)
        axes.plot(
            np.convolve(known, kernel, 'valid'),
            np.convolve(values[known], kernel, 'valid'),
            'o-' if width == 1 else '-',
            markersize=4,
            label=name,
        )
    for place in np.flatnonzero(np.diff(groups[order])):
        axes.axvline(place + 0.5, color=LINE, zorder=0)
    axes.set_ylim(0, 100)
    axes.set_xlabel('class, by falling frequency')
    mean = f', mean of {width} classes' if width > 1 else ''
    axes.set_ylabel(f'{measure} (%){mean}')
    figure.legend(loc='outside upper center', ncols=2, frameon=False)
    figure.savefig(path)
