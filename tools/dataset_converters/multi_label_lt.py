"""Draw a long-tailed training set of COCO or Pascal VOC.

    python tools/dataset_converters/multi_label_lt.py coco data/coco
    python tools/dataset_converters/multi_label_lt.py \\
        voc data/VOCdevkit/VOC2012

Writes a JSON with the image ids, for ``ids`` of ``mmlt.COCOMLT`` and
``mmlt.VOCMLT``, and prints how many classes and images it has. Class sizes
follow a Pareto density and default to the largest and smallest of COCO-MLT
and VOC-MLT. It is another draw than that of the paper's authors: to compare
with their numbers, use their list.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from rich.box import ASCII
from rich.console import Console
from rich.table import Table
from torch.utils.data import Subset

from mmlt.analysis.class_frequency import group_ranges
from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.labels import collect_labels
from mmlt.datasets.multi_label_lt import COCOMLT, VOCMLT
from mmlt.datasets.pareto_subset import ORDERS, pareto_subset

# Largest and smallest class, of COCO-MLT and VOC-MLT.
COUNTS = {'coco': (1128, 6), 'voc': (775, 4)}
THRESHOLDS = (20, 101)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('data', choices=tuple(COUNTS), help='format')
    parser.add_argument('root', help='folder of the data set')
    parser.add_argument(
        '--ann-file',
        default='annotations/instances_train2017.json',
        help='of COCO or other data in its format or that of LVIS, below the '
        'folder; default: %(default)s',
    )
    parser.add_argument(
        '--split', default='trainval', help='of VOC; default: %(default)s'
    )
    parser.add_argument('--max-count', type=int, help='largest class')
    parser.add_argument('--min-count', type=int, help='smallest class')
    parser.add_argument(
        '--power',
        type=float,
        default=6.0,
        help='of the Pareto density; default: %(default)s',
    )
    parser.add_argument(
        '--order',
        choices=ORDERS,
        default='frequency',
        help='which classes are large: those with most images, or any; '
        'default: %(default)s',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--out', help='JSON to write; default: {data}_mlt.json in the folder'
    )
    args = parser.parse_args(argv)
    largest, smallest = COUNTS[args.data]
    args.max_count = largest if args.max_count is None else args.max_count
    args.min_count = smallest if args.min_count is None else args.min_count
    args.out = args.out or str(Path(args.root) / f'{args.data}_mlt.json')
    return args


def read_full_set(args: argparse.Namespace) -> COCOMLT | VOCMLT:
    """The data set to draw from."""
    if args.data == 'coco':
        return COCOMLT(data_root=args.root, ann_file=args.ann_file)
    return VOCMLT(args.root, split=args.split)


def print_summary(full: ClassStats, drawn: ClassStats) -> None:
    """How many classes of which size there are, before and after."""
    table = Table(box=ASCII)
    table.add_column('images a class')
    for column in ('classes, all images', 'classes, drawn images'):
        table.add_column(column, justify='right')
    groups = [stats.groups(THRESHOLDS) for stats in (full, drawn)]
    for group, label in reversed(list(enumerate(group_ranges(THRESHOLDS)))):
        table.add_row(label, *(str((g == group).sum()) for g in groups))
    Console(width=80).print(table)
    ranked = np.argsort(-drawn.image_count, kind='stable')
    sizes = [f'{drawn.classes[k]} {drawn.image_count[k]}' for k in ranked]
    print(
        f'Largest: {", ".join(sizes[:3])}; smallest: {", ".join(sizes[-3:])}'
    )
    print(f'{drawn.num_images} of {full.num_images} images')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    dataset = read_full_set(args)
    full = collect_class_stats(dataset)
    indices = pareto_subset(
        collect_labels(dataset),
        full.num_classes,
        args.max_count,
        args.min_count,
        args.power,
        args.order,
        args.seed,
    )
    drawn = collect_class_stats(Subset(dataset, indices))
    counts = dict(zip(drawn.classes, drawn.image_count.tolist(), strict=True))
    content = {
        'ids': [dataset.get_data_info(int(i))['img_id'] for i in indices],
        'arguments': vars(args),
        'image_count': counts,
    }
    out = Path(args.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(content) + '\n', encoding='utf-8')
    print_summary(full, drawn)
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
