"""Give the weights of somebody else's model the names of a config's model.

Only names change. Each weight must have the name and the shape of one of the
model's, and each of the model's must be filled; nothing else is written, so
that the file loads with ``weights_only=True``.

Example, a ResNet-32 whose linear layer is ``classifier`` and has no bias::

    TOOL=tools/model_converters/import_checkpoint.py
    python $TOOL CONFIG theirs.pth out.pth \\
        --rename classifier=head.fc --zeros head.fc.bias

Of several files the later ones win: a classifier that was trained on features
goes with the network that they are of::

    python $TOOL CONFIG first_stage.pth second_stage.pth out.pth
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import torch
from mmengine.registry import MODELS, init_default_scope
from torch import Tensor

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.engine.launch import read_config


def rename(
    weights: dict[str, Tensor], prefixes: dict[str, str]
) -> dict[str, Tensor]:
    """The weights under new names.

    Args:
        weights (dict[str, Tensor]): By name.
        prefixes (dict[str, str]): New beginning for each old one.

    Raises:
        ValueError: If no weight begins so, or two get one name.
    """
    names = {name: name.removeprefix('module.') for name in weights}
    for old, new in prefixes.items():
        hits = [name for name in names if _in(names[name], [old])]
        if not hits:
            raise ValueError(
                f'rename: no weight begins with {old!r}; the file has '
                f'{_some(weights)}'
            )
        names.update({n: new + names[n][len(old) :] for n in hits})
    if len({*names.values()}) < len(names):
        raise ValueError(
            f'rename: {prefixes} gives two weights one name; rename them to '
            'different ones'
        )
    return {names[name]: weight for name, weight in weights.items()}


def fit(
    weights: dict[str, Tensor],
    state: dict[str, Tensor],
    zeros: tuple[str, ...] = (),
) -> dict[str, Tensor]:
    """The weights, in the order of ``state``, of the model they are for.

    Args:
        weights (dict[str, Tensor]): Under the names of the model.
        state (dict[str, Tensor]): Of the model.
        zeros (tuple[str, ...]): What the file lacks and is zero in effect.

    Raises:
        ValueError: If a name or a shape does not fit.
    """
    unknown = [name for name in zeros if name not in state or name in weights]
    if unknown:
        raise ValueError(
            f'zeros: {_some(unknown)} must be in the model, and not in the '
            'file'
        )
    weights = {**weights, **{n: torch.zeros_like(state[n]) for n in zeros}}
    missing = [name for name in state if name not in weights]
    extra = [name for name in weights if name not in state]
    if missing or extra:
        raise ValueError(
            f'source: the model lacks {_some(extra)} of the file, the file '
            f'lacks {_some(missing)} of the model; see --rename and --zeros, '
            'or give the config of this network'
        )
    for name, known in state.items():
        if weights[name].shape != known.shape:
            raise ValueError(
                f'source: {name} has the shape {tuple(weights[name].shape)}, '
                f'in the model {tuple(known.shape)}; give the config of this '
                'network'
            )
    return {name: weights[name] for name in state}


def _in(name: str, prefixes: Iterable[str]) -> bool:
    """Whether it begins with one of these, in whole parts."""
    return any(f'{name}.'.startswith(f'{prefix}.') for prefix in prefixes)


def _some(names: Iterable[str]) -> str:
    names = [*names]
    more = f' and {len(names) - 4} more' if len(names) > 4 else ''
    return f'{names[:4]}{more}'


def pair(text: str) -> list[str]:
    """OLD=NEW, in two."""
    old, equals, new = text.partition('=')
    if not (old and equals and new):
        raise argparse.ArgumentTypeError(f'expected OLD=NEW, got {text!r}')
    return [old, new]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config of the model')
    add('source', nargs='+', help='files of somebody else, of torch.save')
    add('out', help='checkpoint to write')
    add(
        '--rename',
        nargs='+',
        type=pair,
        default=[],
        metavar='OLD=NEW',
        help='beginnings of names',
    )
    add('--drop', nargs='+', default=[], help='beginnings of names to leave')
    add('--zeros', nargs='+', default=[], help='what the file lacks')
    add(
        '--class-stats',
        help='JSON of the counts of the data that it was trained on, which '
        'tests and post-hoc adjustment need',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    cfg = read_config(args.config)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    weights = {}
    for path in args.source:
        content = load_tensors(path, 'source')
        weights.update(content.get('state_dict', content))
    weights = rename(weights, dict(args.rename))
    state = fit(
        {name: w for name, w in weights.items() if not _in(name, args.drop)},
        MODELS.build(cfg.model).state_dict(),
        tuple(args.zeros),
    )
    meta = {}
    stats = ClassStats.from_any(args.class_stats)
    if stats is not None:
        meta['class_stats'] = stats.to_dict()
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    torch.save({'state_dict': state, 'meta': meta}, args.out)
    print(f'{args.out}: {len(state)} tensors')


if __name__ == '__main__':
    main()
