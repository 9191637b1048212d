"""What classes are taken for, by their frequency.

    python tools/analysis_tools/confusion_matrix.py test_logits.pt \\
        --class-stats epoch_90.pth --out confusion.png

Takes what tools/test.py --dump-logits writes, of images with one or with
several labels. Prints which share of each frequency group is right, and is
taken for a class of which other group; prints the most confused pairs; draws
the matrix, classes by falling frequency. An image of k labels is given the k
classes of its largest logits; a label that is missed counts as taken for all
the wrong ones, in equal parts.
"""

import argparse
from pathlib import Path

from rich.box import ASCII
from rich.console import Console
from rich.table import Table

from mmlt.analysis.confusion import (
    describe_confusion,
    draw_confusion,
    predicted_labels,
)
from mmlt.class_stats import ClassStats, check_groups
from mmlt.class_stats.receiver import align
from mmlt.class_stats.storage import load_tensors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('logits', help='what test.py --dump-logits wrote')
    add(
        '--class-stats',
        required=True,
        metavar='FILE',
        help='training counts: a checkpoint (.pth) of training with '
        'mmlt.ClassStatsHook, or the JSON of class_stats.py',
    )
    add('--out', type=Path, default=Path('confusion_matrix.png'))
    add(
        '--thresholds',
        nargs='+',
        type=int,
        default=(20, 101),
        help='counts, each the first of the next group; default: 20 101',
    )
    add(
        '--group-names',
        nargs='+',
        default=('few', 'medium', 'many'),
        help='rarest first; default: few medium many',
    )
    return parser.parse_args(argv)


def load_logits(path: str, class_stats: str) -> tuple[dict, ClassStats]:
    """Read logits, and the counts of their classes, in their order.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If the first one is something else, or has other classes
            than the second one.
    """
    dump = load_tensors(path, 'logits')
    if not {'logits', 'labels'} <= set(dump):
        raise ValueError(
            f'logits: {path!r} holds none of images; write them with '
            'tools/test.py --dump-logits'
        )
    stats = align(
        ClassStats.from_any(class_stats),
        dump.get('classes'),
        'confusion_matrix',
        f'the logits {path!r}',
    )
    if dump['logits'].size(1) != stats.num_classes:
        raise ValueError(
            f'logits: {path!r} has {dump["logits"].size(1)} classes, but '
            f'--class-stats {class_stats!r} has {stats.num_classes}; give '
            'those of its training set'
        )
    return dump, stats


def print_groups(confusion: dict) -> None:
    table = Table(box=ASCII, title='Share of the labels of a group (%)')
    table.add_column('group')
    for name in confusion['columns']:
        column = name if name == 'right' else f'other, {name}'
        table.add_column(column, justify='right')
    rows = zip(confusion['rows'], confusion['percent'], strict=True)
    for name, percent in rows:
        table.add_row(name, *(f'{value:.1f}' for value in percent))
    Console(width=100).print(table)


def print_pairs(pairs: list[dict]) -> None:
    table = Table(box=ASCII, title='Which class is taken for which (%)')
    table.add_column('class')
    table.add_column('labels', justify='right')
    table.add_column('taken for')
    table.add_column('share', justify='right')
    for pair in pairs:
        table.add_row(
            pair['class'],
            str(pair['samples']),
            pair['taken_for'],
            f'{pair["share"]:.1f}',
        )
    Console(width=100).print(table)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    thresholds = check_groups(args.thresholds, args.group_names)
    dump, stats = load_logits(args.logits, args.class_stats)
    group = stats.groups(thresholds)
    taken = predicted_labels(dump['logits'], dump['labels'])
    facts = describe_confusion(*taken, stats, group, args.group_names)
    print_groups(facts['confusion'])
    print_pairs(facts['pairs'])
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_confusion(*taken, stats, group, args.out)
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
