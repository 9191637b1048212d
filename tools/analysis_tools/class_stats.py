"""Count the classes of a config's training set.

    python tools/analysis_tools/class_stats.py CONFIG --figure frequency.png

Writes the JSON that every ``class_stats`` argument takes, and prints how many
classes and images each frequency group has, the Gini coefficient and the
imbalance factor. No image is loaded.
"""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.class_frequency import draw_class_frequency, group_ranges
from mmlt.class_stats import (
    ClassStats,
    check_thresholds,
    collect_class_stats,
)
from mmlt.engine.launch import build_training_set


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--out',
        default='class_stats.json',
        help='JSON to write; default: class_stats.json',
    )
    parser.add_argument('--figure', help='draw the frequency curve to this')
    parser.add_argument(
        '--thresholds',
        nargs='+',
        type=int,
        default=(20, 101),
        help='counts, each the first of the next group; default: 20 101',
    )
    parser.add_argument(
        '--by',
        choices=('image', 'instance'),
        default='image',
        help='what the groups count; the JSON holds both',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='change the '
        'config: key=value, key="[a,b]", nested.key=value'
    )  # fmt: skip
    return parser.parse_args(argv)


def print_groups(
    stats: ClassStats, thresholds: tuple[int, ...], by: str
) -> None:
    """Classes and images of each group, the most frequent first."""
    count = stats.count(by)
    groups = stats.groups(thresholds, by)
    table = Table(box=ASCII)
    table.add_column(f'{by}s a class')
    for column in ('classes', f'{by}s', 'share'):
        table.add_column(column, justify='right')
    for group, label in reversed(list(enumerate(group_ranges(thresholds)))):
        inside = count[groups == group]
        share = inside.sum() / count.sum()
        table.add_row(
            label, str(inside.size), str(inside.sum()), f'{share:.1%}'
        )
    Console(width=80).print(table)


def print_summary(stats: ClassStats, by: str) -> None:
    """What is worth knowing beside the groups."""
    count = stats.count(by)
    print(
        f'{stats.num_classes} classes, {stats.num_images} images, '
        f'{count.min()} to {count.max()} {by}s a class'
    )
    print(f'Gini coefficient: {stats.gini(by):.3f}')
    print(f'Imbalance factor: {stats.imbalance_factor(by):.4g}')
    empty = np.flatnonzero(count == 0)
    if empty.size:
        names = [stats.classes[k] if stats.classes else k for k in empty[:10]]
        more = ', ...' if empty.size > 10 else ''
        print(
            f'Classes without {by}s: {empty.size} '
            f'({", ".join(map(str, names))}{more})'
        )


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_thresholds(args.thresholds)
    dataset = build_training_set(args.config, args.cfg_options)
    stats = collect_class_stats(dataset)
    stats.to_json(args.out)
    print_summary(stats, args.by)
    print_groups(stats, args.thresholds, args.by)
    if args.figure is not None:
        Path(args.figure).parent.mkdir(parents=True, exist_ok=True)
        draw_class_frequency(stats, args.figure, args.thresholds, args.by)
        print(f'Wrote {args.figure}')
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
