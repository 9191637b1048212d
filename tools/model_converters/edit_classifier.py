"""Write a checkpoint with an edited classifier.

The last linear layer, or all of a cascade, gets the post-hoc logit
adjustment or tau-norm; everything else stays as it is, and
``meta['classifier_edits']`` records what was done. The result is for testing
and deployment: to train on, take the original.

Example::

    TOOL=tools/model_converters/edit_classifier.py
    python $TOOL CONFIG epoch_90.pth out.pth --logit-adjustment 1.0
"""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.models.posthoc.edits import LogitAdjustment, TauNorm, describe
from mmlt.models.posthoc.find import find_classifiers


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of the model')
    parser.add_argument('checkpoint', help='trained checkpoint')
    parser.add_argument('out', help='where to write the edited one')
    edit = parser.add_mutually_exclusive_group(required=True)
    edit.add_argument(
        '--logit-adjustment',
        type=float,
        metavar='TAU',
        help='subtract tau * log prior from the bias',
    )
    edit.add_argument(
        '--tau-norm',
        type=float,
        metavar='TAU',
        help='divide the weights of each class by their norm ** tau',
    )
    parser.add_argument(
        '--class-stats',
        help='JSON of the training counts; default: those in the checkpoint',
    )
    parser.add_argument(
        '--layers', nargs='+', help='names of the layers, if not found'
    )
    parser.add_argument(
        '--force', action='store_true', help='even if edited so before'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    # No defaults here: those of the edits hold.
    policy = parser.add_argument_group(
        'with --logit-adjustment', argument_default=argparse.SUPPRESS
    )
    policy.add_argument('--by', help='image (default) or instance counts')
    policy.add_argument(
        '--zero-count',
        help='classes without training images: error (default), or one',
    )
    policy.add_argument(
        '--background',
        type=_number_or_word,
        help='prior of the background of a detector: mean (default), sum, '
        'or a number',
    )
    scale = parser.add_argument_group(
        'with --tau-norm', argument_default=argparse.SUPPRESS
    )
    scale.add_argument(
        '--keep-bias', action='store_true', help='else it becomes zero'
    )
    scale.add_argument(
        '--reference',
        type=_number_or_word,
        help='the norm that stays as it is: a number (default 1), or mean',
    )
    args = parser.parse_args(argv)
    other = TauNorm if args.tau_norm is None else LogitAdjustment
    wrong = sorted(_options(args, other))
    if wrong:
        parser.error(f'{wrong} is for {other.__name__} only')
    return args


def build_edit(args: argparse.Namespace) -> LogitAdjustment | TauNorm:
    """The edit that the command line asks for."""
    if args.tau_norm is not None:
        return TauNorm(args.tau_norm, **_options(args, TauNorm))
    options = _options(args, LogitAdjustment)
    return LogitAdjustment(args.logit_adjustment, **options)


def _options(args: argparse.Namespace, edit_type: type) -> dict:
    names = {field.name for field in fields(edit_type)}
    return {k: v for k, v in vars(args).items() if k in names}


def _number_or_word(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def edit_checkpoint(
    checkpoint: dict,
    model: nn.Module,
    edit: LogitAdjustment | TauNorm,
    stats: ClassStats | None = None,
    layers: list[str] | None = None,
    force: bool = False,
) -> list[str]:
    """Edit ``checkpoint`` in place.

    Args:
        checkpoint (dict): With ``state_dict`` and ``meta``.
        model (nn.Module): Built from the config; its weights do not matter.
        edit (LogitAdjustment | TauNorm): What to do.
        stats (ClassStats | None): Defaults to those of the checkpoint.
        layers (list[str] | None): See :func:`find_classifiers`.
        force (bool): Whether to repeat an edit.

    Returns:
        list[str]: Names of the edited layers.

    Raises:
        ValueError: If the checkpoint was edited so before, or does not fit
            the model, or the edit cannot be applied.
    """
    if 'state_dict' not in checkpoint:
        raise ValueError(
            'checkpoint has no state_dict; expected one that MMEngine wrote, '
            f'got {sorted(map(str, checkpoint))[:5]}'
        )
    state = checkpoint['state_dict']
    edit.check_model(model)
    record = describe(edit)
    done = checkpoint.setdefault('meta', {}).get('classifier_edits', [])
    if not force and any(each['type'] == record['type'] for each in done):
        raise ValueError(
            f'the checkpoint has had {record["type"]} before: {done}; edit '
            'the original, or repeat it with --force'
        )
    stats = stats or ClassStats.from_checkpoint(checkpoint)
    new_state: dict[str, Any] = {}
    classifiers = find_classifiers(model, layers)
    for name, layer, num_classes in classifiers:
        weight = state.get(f'{name}.weight')
        if weight is None or weight.shape != layer.weight.shape:
            found = 'none' if weight is None else tuple(weight.shape)
            raise ValueError(
                f'{name}.weight has the shape {tuple(layer.weight.shape)} in '
                f'the model, but in the checkpoint: {found}; give the config '
                'that it was trained with'
            )
        weight, bias = edit(
            weight, state.get(f'{name}.bias'), num_classes, stats
        )
        if bias is not None and layer.bias is None:
            raise ValueError(
                f'{name} has no bias (bias=False in the config), and '
                f'{record["type"]} needs one: give a config that builds the '
                'layer with a bias, and test with that; or leave the '
                'checkpoint alone and test with mmlt.ClassifierEditHook'
            )
        new_state[f'{name}.weight'] = weight
        if bias is not None:
            new_state[f'{name}.bias'] = bias
    state.update(new_state)
    names = [name for name, *_ in classifiers]
    checkpoint['meta']['classifier_edits'] = [
        *done,
        {**record, 'layers': names},
    ]
    return names


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    if Path(args.out).resolve() == Path(args.checkpoint).resolve():
        raise ValueError(
            f'out: {args.out!r} is the trained checkpoint itself; give '
            'another file'
        )
    edit = build_edit(args)
    checkpoint = load_tensors(args.checkpoint)
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    names = edit_checkpoint(
        checkpoint,
        MODELS.build(cfg.model),
        edit,
        ClassStats.from_any(args.class_stats),
        args.layers,
        args.force,
    )
    Path(args.out).parent.mkdir(parents=True, exist_ok=True)
    torch.save(checkpoint, args.out)
    print(f'{edit} of {", ".join(names)}: wrote {args.out}')


if __name__ == '__main__':
    main()
