"""Count the objects of a detection training set by size.

Of a config, whose training set is read as in training::

    python tools/analysis_tools/size_stats.py CONFIG --figure sizes.png

or of an annotation file in the format of COCO or LVIS, which also says what
COCO's own sizes go by, the area of the mask::

    python tools/analysis_tools/size_stats.py instances_train2017.json \\
        --area field --crowds

No image is loaded. Shares of images are those of images with an object.
"""

import argparse
from pathlib import Path

import numpy as np
from mmengine.config import DictAction
from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.size_distribution import (
    draw_size_distribution,
    size_ranges,
)
from mmlt.class_stats.sizes import (
    COCO_BOUNDS,
    SizeStats,
    check_bounds,
    collect_size_stats,
    count_sizes,
    read_coco_labels,
)
from mmlt.class_stats.storage import write_json
from mmlt.engine.launch import build_training_set


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('source', help='config file, or annotations (.json)')
    add(
        '--bounds',
        nargs='+',
        type=float,
        default=COCO_BOUNDS,
        help='areas in square pixels, each the first of the next size; '
        'default: those of COCO, 1024 9216',
    )
    add(
        '--scale',
        nargs=2,
        type=float,
        metavar=('W', 'H'),
        help="at the scale of the network's input, that of Resize(scale=(W, "
        'H), keep_ratio=True); default: as annotated',
    )
    add(
        '--area',
        choices=('box', 'field'),
        default='box',
        help='of the box, or what the annotations say; default: box',
    )
    add('--crowds', action='store_true', help='count crowds of a .json, too')
    add(
        '--rows',
        type=int,
        default=10,
        help='classes to print, the most frequent first; default: 10',
    )
    add('--out', default='size_stats.json', help='JSON to write')
    add('--figure', help='draw long tail and sizes to this')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value',
    )
    args = parser.parse_args(argv)
    is_json = args.source.endswith('.json')
    if not is_json and (args.crowds or args.area == 'field'):
        parser.error(
            f'--crowds and --area field need annotations (.json), since data '
            f'sets keep boxes only; got {args.source}'
        )
    if is_json and args.cfg_options:
        parser.error('--cfg-options change a config, not annotations')
    return args


def count(args: argparse.Namespace) -> SizeStats:
    """What the arguments ask for."""
    bounds = check_bounds([*args.bounds])
    if args.source.endswith('.json'):
        labels, classes = read_coco_labels(args.source, args.area, args.crowds)
        return count_sizes(labels, len(classes), bounds, args.scale, classes)
    dataset = build_training_set(args.source, args.cfg_options)
    return collect_size_stats(dataset, bounds, args.scale)


def print_sizes(stats: SizeStats) -> None:
    """Objects and images of each size."""
    table = Table(box=ASCII)
    for column in ('size', 'area'):
        table.add_column(column)
    for column in ('objects', 'share', 'images', 'share'):
        table.add_column(column, justify='right')
    words = size_ranges(stats.bounds)
    for size, name in enumerate(stats.sizes):
        table.add_row(
            name,
            words[size],
            str(stats.box_count[:, size].sum()),
            f'{stats.box_share[size]:.1%}',
            str(stats.image_count[size]),
            f'{stats.image_share[size]:.1%}',
        )
    Console(width=80).print(table)


def print_classes(stats: SizeStats, rows: int) -> None:
    """Sizes of the objects of the most frequent classes."""
    number = stats.box_count.sum(axis=1)
    table = Table(box=ASCII)
    table.add_column('class', max_width=30)
    for column in ('objects', *stats.sizes):
        table.add_column(column, justify='right')
    for k in np.argsort(-number, kind='stable')[:rows]:
        if number[k]:
            shares = (f'{share:.1%}' for share in stats.class_share[k])
            name = stats.classes[k] if stats.classes else str(k)
            table.add_row(name, str(number[k]), *shares)
    Console(width=80).print(table)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    stats = count(args)
    number = stats.box_count.sum()
    print(
        f'{len(stats.box_count)} classes, {number} objects in '
        f'{stats.num_images} images'
    )
    print_sizes(stats)
    print_classes(stats, args.rows)
    write_json(args.out, stats.to_dict())
    if args.figure is not None:
        Path(args.figure).parent.mkdir(parents=True, exist_ok=True)
        draw_size_distribution(stats, args.figure)
        print(f'Wrote {args.figure}')
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
