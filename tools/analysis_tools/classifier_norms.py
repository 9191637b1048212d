"""Draw the norm of each class's classifier weight against its frequency.

The figure that motivates re-balancing the classifier: in a detector trained
on long-tailed data, the weights of rare classes are short (`BAGS
<https://arxiv.org/abs/2006.10408>`_, Fig. 1). Takes checkpoints of any
detector of MMDetection and any classifier of MMPretrain, without their
configs: the rows of the last layer that belong to no class (background,
"others") come last and are left out.

Example::

    python tools/analysis_tools/classifier_norms.py baseline.pth bags.pth \\
        --names baseline BAGS --class-stats lvis_v1 --out norms.png
"""

import argparse
from pathlib import Path

from mmlt.analysis.classifier_norms import (
    class_norms,
    draw_classifier_norms,
    find_weights,
    log_correlation,
)
from mmlt.class_stats import ClassStats
from mmlt.class_stats.names import check_same_classes
from mmlt.class_stats.receiver import align
from mmlt.class_stats.storage import find_class_names, load_tensors


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('checkpoints', nargs='+')
    add('--names', nargs='+', help='one for each checkpoint, in the figure')
    add(
        '--class-stats',
        help='json file, or name of shipped statistics such as lvis_v1; '
        'default: those in the first checkpoint',
    )
    add('--layers', nargs='+', help='last linear layers; default: search')
    add('--by', choices=('image', 'instance'), default='image')
    add('--out', type=Path, default=Path('classifier_norms.png'))
    args = parser.parse_args(argv)
    names = args.names or [Path(path).stem for path in args.checkpoints]
    if len(set(names)) != len(args.checkpoints):
        parser.error(
            f'--names: {len(args.checkpoints)} different names needed, got '
            f'{names}'
        )
    contents = [load_tensors(path) for path in args.checkpoints]
    stats = ClassStats.from_any(args.class_stats)
    if stats is None:
        stats = ClassStats.from_checkpoint(contents[0])
    if stats is None:
        parser.error(
            f'{args.checkpoints[0]} holds no class statistics: give '
            '--class-stats'
        )
    first = find_class_names(contents[0])
    stats = align(stats, first, 'classifier_norms', args.checkpoints[0])
    norms = {}
    for name, path, content in zip(
        names, args.checkpoints, contents, strict=True
    ):
        classes = find_class_names(content)
        check_same_classes(first, classes, args.checkpoints[0], path)
        weights = find_weights(content, args.layers)
        for layer, weight in weights.items():
            key = name if len(weights) == 1 else f'{name}: {layer}'
            norms[key] = class_norms(weight, stats.num_classes)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_classifier_norms(stats, norms, args.out, args.by)
    count = stats.count(args.by)
    for name, values in norms.items():
        print(
            f'{name}: norm {values.mean():.3f} +- {values.std():.3f}, '
            f'correlation with log count {log_correlation(count, values):.2f}'
        )
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
