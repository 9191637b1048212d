"""Write a checkpoint with an edited classifier.

The last linear layer, or all of a cascade, gets the post-hoc logit
adjustment, tau-norm, or a calibration of detectors; everything else stays as
it is, and ``meta['classifier_edits']`` records what was done. The result is
for testing and deployment: to train on, take the original.

Example::

    TOOL=tools/model_converters/edit_classifier.py
    python $TOOL CONFIG epoch_90.pth out.pth --logit-adjustment 1.0
    python $TOOL CONFIG detector.pth out.pth --norcal 0.6 --class-stats lvis_v1
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
from mmlt.models.posthoc import (
    FRACAL,
    BiasEdit,
    LogitAdjustment,
    NorCal,
    TauNorm,
    edit_checkpoint,
)

EDITS = {
    'logit_adjustment': LogitAdjustment,
    'tau_norm': TauNorm,
    'norcal': NorCal,
    'fracal': FRACAL,
}


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
    edit.add_argument(
        '--norcal',
        type=float,
        metavar='GAMMA',
        help='divide the scores of boxes by the class count ** gamma',
    )
    edit.add_argument(
        '--fracal',
        type=float,
        metavar='BASE',
        help='calibrate boxes by count and fractal dimension; logarithms to '
        'this base, 10 in the paper',
    )
    parser.add_argument(
        '--class-stats',
        help='training counts: JSON, or a name such as lvis_v1; default: '
        'those in the checkpoint',
    )
    parser.add_argument(
        '--layers', nargs='+', help='names of the layers, if not found'
    )
    parser.add_argument(
        '--force', action='store_true', help='even if edited so before'
    )
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    # No defaults here: those of the edits hold.
    options = parser.add_argument_group(
        'options of the edits', argument_default=argparse.SUPPRESS
    )
    options.add_argument(
        '--by', help='image or instance counts; default: as the edit has it'
    )
    options.add_argument(
        '--zero-count',
        help='classes without training images: error (default), or one',
    )
    options.add_argument(
        '--background',
        type=_number_or_word,
        help='with --logit-adjustment, prior of the background of a '
        'detector: mean (default), sum, or a number',
    )
    options.add_argument(
        '--keep-bias',
        action='store_true',
        help='with --tau-norm, else it becomes zero',
    )
    options.add_argument(
        '--reference',
        type=_number_or_word,
        help='with --tau-norm, the norm that stays as it is: a number '
        '(default 1), or mean',
    )
    options.add_argument(
        '--power',
        type=float,
        help='with --fracal, of the dimension; default 2',
    )
    args = parser.parse_args(argv)
    edit_type, _ = _chosen(args)
    known = {field.name for field in fields(edit_type)}
    wrong = sorted(_options(args) - known)
    if wrong:
        parser.error(f'{edit_type.__name__} has no {wrong}')
    return args


def build_edit(args: argparse.Namespace) -> BiasEdit | TauNorm:
    """The edit that the command line asks for."""
    edit_type, strength = _chosen(args)
    # The first field is the strength of each of them.
    return edit_type(strength, **{k: vars(args)[k] for k in _options(args)})


def _chosen(args: argparse.Namespace) -> tuple[type, float]:
    """The edit that was asked for, and its strength."""
    given = ((EDITS[name], vars(args)[name]) for name in EDITS)
    return next(each for each in given if each[1] is not None)


def _options(args: argparse.Namespace) -> set[str]:
    """The options that were given."""
    first = {fields(edit)[0].name for edit in EDITS.values()}
    names = {field.name for edit in EDITS.values() for field in fields(edit)}
    return (names - first) & set(vars(args))


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
