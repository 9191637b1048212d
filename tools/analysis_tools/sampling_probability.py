"""What class-aware sampling makes of the class frequencies of a training set.

    python tools/analysis_tools/sampling_probability.py CONFIG \\
        --out probability.png --csv probability.csv

If an image has several labels, drawing one class brings others along, so that
frequent classes are sampled more often than expected. This is Figure 1 of
Distribution-Balanced Loss (https://arxiv.org/abs/2007.09654). No image is
loaded, and the sampler of the config does not matter.
"""

import argparse
import csv
import math
from pathlib import Path

from mmengine.config import DictAction
from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.sampling_probability import (
    COLUMNS,
    draw_sampling_probability,
    probability_rows,
    sampling_probability,
)
from mmlt.class_stats import collect_class_stats
from mmlt.engine.launch import build_training_set


def print_table(rows: list[tuple]) -> None:
    """At most about 20 classes, evenly spaced, the rarest among them."""
    table = Table(box=ASCII, title='Probability of a class in a draw (%)')
    for column in COLUMNS:
        table.add_column(column, justify='right')
    step = math.ceil(len(rows) / 20)
    for name, images, *values in rows[::-1][::step][::-1]:
        table.add_row(name, str(images), *(f'{100 * x:.2f}' for x in values))
    Console(width=100).print(table)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config file')
    add('--out', type=Path, default=Path('sampling_probability.png'))
    add('--csv', type=Path, help='write the table of all classes to this')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value, key="[a,b]", nested.key=value',
    )
    args = parser.parse_args(argv)
    dataset = build_training_set(args.config, args.cfg_options)
    probability = sampling_probability(dataset)
    stats = collect_class_stats(dataset)
    rows = probability_rows(probability, stats)
    print_table(rows)
    if len(rows) < stats.num_classes:
        print(f'Without images: {stats.num_classes - len(rows)} classes')
    print(
        f'A draw brings {probability.real.sum():.2f} classes, and '
        f'{probability.uniform.sum():.2f} without re-sampling'
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_sampling_probability(probability, args.out)
    print(f'Wrote {args.out}')
    if args.csv is not None:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with open(args.csv, 'w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        print(f'Wrote {args.csv}')


if __name__ == '__main__':
    main()
