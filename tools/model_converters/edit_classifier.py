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

import torch
from mmengine.config import DictAction
from mmengine.registry import MODELS, init_default_scope

from mmlt.class_stats import ClassStats
from mmlt.class_stats.storage import load_tensors
from mmlt.engine.launch import load_config
from mmlt.models.posthoc import LogitAdjustment, TauNorm, edit_checkpoint


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


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    if Path(args.out).resolve() == Path(args.checkpoint).resolve():
        raise ValueError(
            f'out: {args.out!r} is the trained checkpoint itself; give '
            'another file'
        )
    edit = build_edit(args)
    checkpoint = load_tensors(args.checkpoint)
    cfg = load_config(args.config, args.cfg_options)
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
