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

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors

LAST_LAYERS = ('fc_cls.weight', 'head.fc.weight', 'head.fc2.weight')


def find_weights(
    checkpoint: dict, layers: list[str] | None = None
) -> dict[str, Tensor]:
    """The weights (K, D) of the last linear layers, by name.

    Args:
        checkpoint (dict): Of MMEngine, or a bare state_dict.
        layers (list[str] | None): Names of layers; None searches.

    Raises:
        ValueError: If there is none of them.
    """
    state = checkpoint.get('state_dict', checkpoint)
    matrices = {
        name: value
        for name, value in state.items()
        if name.endswith('.weight') and value.dim() == 2
    }
    if layers is None:
        found = [name for name in matrices if name.endswith(LAST_LAYERS)]
    else:
        found = [f'{name}.weight' for name in layers]
    missing = [name for name in found if name not in matrices]
    if missing or not found:
        what = f'no layer {missing[0]!r}' if missing else 'no classifier'
        raise ValueError(
            f'layers: {what} found; name the last linear layer with '
            f'--layers, out of {list(matrices)[-20:]}'
        )
    return {name.removesuffix('.weight'): matrices[name] for name in found}


def class_norms(weight: Tensor, num_classes: int) -> np.ndarray:
    """(C,) norm of each class's row of a weight (K, D), K >= C.

    Raises:
        ValueError: If there are fewer rows than classes.
    """
    if len(weight) < num_classes:
        raise ValueError(
            f'class_stats: {num_classes} classes, but the classifier has '
            f'{len(weight)} rows; give the statistics of its training set'
        )
    return weight[:num_classes].float().norm(dim=1).numpy()


def draw(
    stats: ClassStats,
    norms: dict[str, np.ndarray],
    path: str | Path,
    by: str = 'image',
) -> None:
    """Draw norms against counts: classes as dots, running means as lines.

    Args:
        stats (ClassStats): Of the training set, C classes.
        norms (dict[str, np.ndarray]): For each classifier, (C,) norms.
        path (str | Path): Image to write.
        by (str): ``'image'`` or ``'instance'`` counts.
    """
    count = stats.count(by)
    order = np.argsort(count, kind='stable')
    width = max(stats.num_classes // 20, 1)
    kernel = np.full(width, 1 / width)
    figure = Figure(figsize=(6.5, 4), layout='constrained')
    axes = figure.add_subplot()
    for name, values in norms.items():
        (dots,) = axes.plot(count, values, '.', alpha=0.35)
        axes.plot(
            np.convolve(count[order], kernel, 'valid'),
            np.convolve(values[order], kernel, 'valid'),
            color=dots.get_color(),
            label=name,
        )
    axes.set_xscale('log' if count.all() else 'symlog')
    axes.set_xlabel(f'training {by}s of the class')
    axes.set_ylabel('norm of the classifier weight')
    axes.legend()
    figure.savefig(path, dpi=150)


def log_correlation(count: np.ndarray, norms: np.ndarray) -> float:
    """Correlation of the norm with the logarithm of the count + 1."""
    return float(np.corrcoef(np.log(count + 1), norms)[0, 1])


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
    add('--out', default='classifier_norms.png')
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
    norms = {}
    for name, content in zip(names, contents, strict=True):
        weights = find_weights(content, args.layers)
        for layer, weight in weights.items():
            key = name if len(weights) == 1 else f'{name}: {layer}'
            norms[key] = class_norms(weight, stats.num_classes)
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    draw(stats, norms, args.out, args.by)
    count = stats.count(args.by)
    for name, values in norms.items():
        print(
            f'{name}: norm {values.mean():.3f} +- {values.std():.3f}, '
            f'correlation with log count {log_correlation(count, values):.2f}'
        )
    print(f'wrote {args.out}')


if __name__ == '__main__':
    main()
