"""Which classes of a multi-label training set come together.

    python tools/analysis_tools/co_occurrence.py CONFIG \\
        --out co_occurrence.png --csv co_occurrence.csv

Prints how many classes an image has, which class implies which, and which
classes sampling cannot balance: those that class-aware sampling brings much
more often than meant, and those that every sampler must. Draws the matrix of
conditional probabilities. No image is loaded, and the sampler of the config
does not matter.
"""

import argparse
import csv
from pathlib import Path

from mmengine.config import DictAction
from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.co_occurrence import (
    COLUMNS,
    CoOccurrence,
    analyse_co_occurrence,
    co_occurrence_rows,
    draw_co_occurrence,
    strongest_links,
)
from mmlt.checks import check_number
from mmlt.engine.launch import build_training_set


def print_cardinality(result: CoOccurrence) -> None:
    print(
        f'An image has {result.mean_cardinality:.2f} of '
        f'{len(result.names)} classes'
    )
    for number, images in enumerate(result.cardinality):
        print(f'  {number} classes: {images} images')


def print_links(result: CoOccurrence, number: int) -> None:
    table = Table(box=ASCII, title='Which class implies which (%)')
    table.add_column('class')
    table.add_column('images', justify='right')
    table.add_column('implies')
    table.add_column('share', justify='right')
    for first, second, share, images in strongest_links(result, number):
        table.add_row(first, str(images), second, f'{100 * share:.1f}')
    Console(width=100).print(table)


def print_unbalanced(result: CoOccurrence, factor: float) -> None:
    """What class-aware sampling overdoes, and what nothing can balance."""
    rows = co_occurrence_rows(result)
    often = sorted((r for r in rows if r[4] > factor), key=lambda r: -r[4])
    print(
        f'Class-aware sampling brings {len(often)} of {len(rows)} classes '
        f'more than {factor:g} times as often as meant'
    )
    for name, images, _, companions, ratio, _ in often:
        print(
            f'  {name}: {ratio:.2f} times ({images} images, '
            f'{companions:.2f} other classes in each)'
        )
    never = [row for row in rows if row[5] > 1 + 1e-6]
    print(f'No sampling balances {len(never)} of {len(rows)} classes')
    for name, images, *_, least in never:
        print(
            f'  {name}: {least:.2f} times as often as the rarest at least '
            f'({images} images)'
        )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config file')
    add('--out', type=Path, default=Path('co_occurrence.png'))
    add('--csv', type=Path, help='write the table of all classes to this')
    add(
        '--factor',
        type=float,
        default=2.0,
        help='name classes that come more often than this, times what is '
        'meant; default: %(default)s',
    )
    add(
        '--links',
        type=int,
        default=20,
        help='pairs of classes to print; default: %(default)s',
    )
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value, key="[a,b]", nested.key=value',
    )
    args = parser.parse_args(argv)
    check_number('--factor', args.factor, positive=True)
    check_number('--links', args.links)
    result = analyse_co_occurrence(
        build_training_set(args.config, args.cfg_options)
    )
    print_cardinality(result)
    print_links(result, args.links)
    print_unbalanced(result, args.factor)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_co_occurrence(result, args.out)
    print(f'Wrote {args.out}')
    if args.csv is not None:
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with open(args.csv, 'w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows([COLUMNS, *co_occurrence_rows(result)])
        print(f'Wrote {args.csv}')


if __name__ == '__main__':
    main()
