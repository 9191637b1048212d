"""Draw a long-tailed training set of COCO or Pascal VOC.

    python tools/dataset_converters/multi_label_lt.py coco data/coco
    python tools/dataset_converters/multi_label_lt.py \\
        voc data/VOCdevkit/VOC2012

Writes a JSON with the image ids, for ``ids`` of ``mmlt.COCOMLT`` and
``mmlt.VOCMLT``, and prints how many classes and images it has. Class sizes
follow a Pareto density and default to the largest and smallest of COCO-MLT
and VOC-MLT. It is another draw than that of the paper's authors: to compare
with their numbers, use their list. N images, C classes.
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
from mmlt.class_stats.labels import ImageLabels, collect_labels
from mmlt.datasets.multi_label_lt import COCOMLT, VOCMLT

# Largest and smallest class, of COCO-MLT and VOC-MLT.
COUNTS = {'coco': (1128, 6), 'voc': (775, 4)}
THRESHOLDS = (20, 100)
ORDERS = ('frequency', 'random')


def pareto_counts(
    max_count: int, min_count: int, num_classes: int, power: float = 6.0
) -> np.ndarray:
    r"""Images a class, falling as a Pareto density does.

    .. math::
        n_r = n_{max} x_r^{-\alpha}, \quad x_r = 1 + \frac{r}{C - 1} \left(
        \left(\frac{n_{max}}{n_{min}}\right)^{1 / \alpha} - 1 \right)

    with the rank ``r`` from 0 to C - 1: the density at evenly spaced points.
    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ names the
    density and ``alpha``, not the points.

    Args:
        max_count (int): ``n_max``, images of the largest class.
        min_count (int): ``n_min`` >= 1, images of the smallest.
        num_classes (int): C.
        power (float): ``alpha`` > 0; the larger, the nearer to a geometric
            series.

    Returns:
        np.ndarray: (C,) int64, falling.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if not 1 <= min_count <= max_count:
        raise ValueError(
            'min_count and max_count must be 1 <= min_count <= max_count, '
            f'got {min_count} and {max_count}'
        )
    if not 0 < power < np.inf:
        raise ValueError(f'power must be positive and finite, got {power}')
    end = (max_count / min_count) ** (1 / power)
    points = np.linspace(1, end, num_classes)
    return np.rint(max_count * points**-power).astype(np.int64)


def draw_images(
    labels: ImageLabels, counts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw images so that class ``k`` has about ``counts[k]`` of them.

    An image counts for all its classes. So, from the class that shall have
    fewest images to that with most, images are drawn only for what the
    earlier draws have left open, and first of those with fewest classes that
    are complete already. No class has fewer images than it shall, or than
    there are; some have more, as frequent objects stand beside rare ones.

    Args:
        labels (ImageLabels): Labels of the N images to draw from.
        counts (np.ndarray): (C,) images a class.
        rng (np.random.Generator): Source of randomness.

    Returns:
        np.ndarray: (M,) int64 images, rising, each once.

    Raises:
        ValueError: If a label lies beyond ``counts``.
    """
    image, label = labels.unique()
    num_classes = len(counts)
    if label.max(initial=-1) >= num_classes:
        raise ValueError(
            f'labels has the label {label.max()}, but counts has '
            f'{num_classes} entries; give one count for each class'
        )
    present = np.bincount(label, minlength=num_classes)
    target = np.minimum(counts, present)
    have = np.zeros(num_classes, dtype=np.int64)
    drawn = np.zeros(len(labels), dtype=bool)
    for k in np.argsort(target, kind='stable'):
        if have[k] >= target[k]:
            continue
        complete = (have >= target)[label]
        surplus = np.bincount(image[complete], minlength=len(labels))
        left = rng.permutation(image[(label == k) & ~drawn[image]])
        left = left[np.argsort(surplus[left], kind='stable')]
        drawn[left[: target[k] - have[k]]] = True
        have = np.bincount(label[drawn[image]], minlength=num_classes)
    return np.flatnonzero(drawn)


def pareto_subset(
    labels: ImageLabels,
    num_classes: int,
    max_count: int,
    min_count: int,
    power: float = 6.0,
    order: str = 'frequency',
    seed: int = 0,
) -> np.ndarray:
    """Draw a long-tailed part of a multi-label data set.

    Class sizes are those of :func:`pareto_counts`, images are drawn by
    :func:`draw_images`: the same arguments give the same images. A class with
    fewer images than it shall have keeps all of them.

    Args:
        labels (ImageLabels): Labels of the N images, from
            :func:`mmlt.class_stats.labels.collect_labels`.
        num_classes (int): C.
        max_count (int): Images of the largest class.
        min_count (int): Images of the smallest class.
        power (float): Of the Pareto density.
        order (str): Which class is largest: ``'frequency'``, the classes
            keep their order by number of images; ``'random'``, the seed
            decides.
        seed (int): Decides which images are drawn.

    Returns:
        np.ndarray: (M,) int64 images, rising.

    Raises:
        ValueError: If an argument is out of its range.
    """
    if order not in ORDERS:
        raise ValueError(f'order must be one of {ORDERS}, got {order!r}')
    rng = np.random.default_rng(seed)
    sizes = pareto_counts(max_count, min_count, num_classes, power)
    if order == 'random':
        ranked = rng.permutation(num_classes)
    else:
        _, label = labels.unique()
        present = np.bincount(label, minlength=num_classes)
        ranked = np.argsort(-present, kind='stable')[:num_classes]
    counts = np.empty_like(sizes)
    counts[ranked] = sizes
    return draw_images(labels, counts, rng)


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
    """The data set to draw from, with the labels of mmlt's configs."""
    if args.data == 'coco':
        return COCOMLT(
            data_root=args.root,
            ann_file=args.ann_file,
            ignore_crowd=False,
            drop_tiny=True,
        )
    return VOCMLT(args.root, split=args.split, ignore_difficult=False)


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
