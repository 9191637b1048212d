"""From the numbers of a report to its page and its JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mmlt.analysis.class_frequency import draw_class_frequency
from mmlt.analysis.classifier_norms import draw_classifier_norms
from mmlt.analysis.co_occurrence import draw_co_occurrence
from mmlt.analysis.report.figures import (
    as_svg,
    draw_reliability,
    draw_scores,
)
from mmlt.analysis.tau_sweep import TauSweep, draw_tau_sweep
from mmlt.class_stats import ClassStats


def plain(value: Any) -> Any:
    """What JSON can say: numbers that are none become null."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if hasattr(value, 'to_dict'):
        return plain(value.to_dict())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def draw_figures(facts: dict, stats: ClassStats) -> dict[str, str]:
    """The SVG of each figure that there are numbers for.

    Args:
        facts (dict): From :func:`mmlt.analysis.report.build.build_report`.
        stats (ClassStats): Of the training set.
    """
    thresholds = facts['thresholds']
    groups = len(thresholds) + 1
    figures = {
        'frequency': as_svg(
            draw_class_frequency,
            stats,
            thresholds=thresholds,
            groups=groups,
        )
    }
    if 'co_occurrence' in facts:
        figures['co_occurrence'] = as_svg(
            draw_co_occurrence, facts['co_occurrence']
        )
    runs = facts['runs']
    scored = [run for run in runs if 'scores' in run]
    if scored:
        figures['scores'] = as_svg(
            draw_scores,
            np.argsort(-stats.image_count, kind='stable'),
            stats.groups(thresholds),
            {run['name']: run['scores'] for run in scored},
            scored[0]['measure'],
        )
    calibrated = [run for run in runs if 'calibration' in run]
    if calibrated:
        figures['calibration'] = as_svg(
            draw_reliability,
            {run['name']: run['calibration'] for run in calibrated},
        )
    norms = {
        run['name'] if len(run['norms']) == 1 else f'{run["name"]}: {layer}': (
            np.array(each['norm'])
        )
        for run in runs
        for layer, each in run.get('norms', {}).items()
    }
    if norms:
        figures['norms'] = as_svg(draw_classifier_norms, stats, norms)
    for run in runs:
        if 'tau' in run:
            figures[f'tau of {run["name"]}'] = as_svg(_draw_tau, run['tau'])
    return figures


def _draw_tau(sweep: Any, path: Any) -> None:
    if isinstance(sweep, TauSweep):
        draw_tau_sweep(sweep, path)
        return
    # Not before: only this needs compiled operators.
    from mmlt.analysis.box_sweep import draw_box_sweep

    draw_box_sweep(sweep, path)


def render(facts: dict, figures: dict[str, str]) -> str:
    """The page, which needs no other file.

    Args:
        facts (dict): From :func:`mmlt.analysis.report.build.build_report`.
        figures (dict[str, str]): SVG by name.
    """
    environment = Environment(
        loader=PackageLoader('mmlt.analysis.report'),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters['number'] = number
    environment.filters['whole'] = '{:,}'.format
    return environment.get_template('report.html.j2').render(
        facts,
        zip=zip,
        figures={name: Markup(svg) for name, svg in figures.items()},
    )


def number(value: float | None, digits: int = 1, sign: str = '') -> str:
    """A number for a table, a dash where it is not known."""
    if value is None or not math.isfinite(value):
        return '-'
    return f'{value:{sign}.{digits}f}'


def write_report(facts: dict, stats: ClassStats, out: Path) -> Path:
    """Write the page, and beside it the JSON, whose name is returned."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(facts, draw_figures(facts, stats)), encoding='utf-8')
    numbers = out.with_suffix('.json')
    content = json.dumps(plain(facts), allow_nan=False)
    numbers.write_text(f'{content}\n', encoding='utf-8')
    return numbers
