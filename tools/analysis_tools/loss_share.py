"""Which part of the loss small, medium and large objects had in runs.

Of runs with ``custom_hooks=[dict(type='mmlt.LossShareHook')]``: how many
iterations give small objects which share of the loss, the same for medium and
large ones, and the means over epochs. Example::

    python tools/analysis_tools/loss_share.py \\
        work_dirs/faster-rcnn work_dirs/stitcher --out loss_share.png
"""

import argparse
from pathlib import Path

from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.loss_share import (
    SMALL_SHARE,
    draw_loss_shares,
    load_loss_shares,
    summarize,
)
from mmlt.class_stats.storage import write_json


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        'runs',
        nargs='+',
        type=Path,
        help='folders of runs, or files loss_shares.jsonl',
    )
    add(
        '--names',
        nargs='+',
        help='of the runs; default: those of the folders',
    )
    add(
        '--loss',
        choices=('box', 'cls'),
        default='box',
        help='box regression, or classification of positives; default: box',
    )
    add('--out', default='loss_share.png', help='figure to write')
    add('--json', help='write what is printed to this, too')
    args = parser.parse_args(argv)
    names = args.names or [run.name for run in args.runs]
    if len(names) != len(args.runs):
        parser.error(f'--names: {len(names)} for {len(args.runs)} runs')
    if len({*names}) != len(names):
        parser.error(f'--names must differ, got {" ".join(names)}')
    args.names = names
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    runs = {
        name: load_loss_shares(path, args.loss)
        for name, path in zip(args.names, args.runs, strict=True)
    }
    table = Table(box=ASCII)
    for column in ('run', 'size'):
        table.add_column(column)
    below = f'below {SMALL_SHARE}'
    for column in ('mean', 'median', below):
        table.add_column(column, justify='right')
    rows = {name: summarize(run) for name, run in runs.items()}
    for name, sizes in rows.items():
        for row in sizes:
            numbers = (row['mean'], row['median'], row['below'])
            table.add_row(name, row['size'], *(f'{x:.1%}' for x in numbers))
    Console(width=80).print(table)
    print(f'mean and median share of an iteration; iterations {below}')
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    draw_loss_shares(runs, args.out, args.loss)
    print(f'Wrote {args.out}')
    if args.json is not None:
        write_json(args.json, rows)
        print(f'Wrote {args.json}')


if __name__ == '__main__':
    main()
