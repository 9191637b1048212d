"""Choose how strongly to adjust logits, without another forward pass.

Takes the logits of a part of the training data that was held out, as
``tools/test.py --dump-logits`` writes them, prints the accuracies for each
tau, draws the curve and picks the tau with the best balanced accuracy. The
test split is refused: a tau that was chosen there has seen the test labels.

Tau-norm changes the weights of the classifier, so logits are not enough to
sweep its tau: test with ``mmlt.ClassifierEditHook`` for each value instead.

Logits that are adjusted already, by the loss or after training, are refused:
there is no tau to choose. The file says so, and the checkpoint that wrote it.

Of a two-stage detector the file holds what it says of each proposal: the
boxes of each tau go through NMS and are compared with the annotations.
``--edit`` says what tau is: that of the logit adjustment, gamma of NorCal, or
the power of the dimension in FRACAL.

Example::

    python tools/analysis_tools/sweep_tau.py held_out.pt
    --class-stats epoch_90.pth --taus 0 2 41 --out work_dirs/sweep
    python tools/analysis_tools/sweep_tau.py boxes.pt
    --class-stats epoch_12.pth --ann-file lvis_v1_train.json --edit norcal
    --taus 0 1.2 13 --out work_dirs/sweep
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mmlt.analysis.tau_sweep import (
    TauSweep,
    check_unadjusted,
    draw_tau_sweep,
    load_held_out,
    sweep_tau,
)
from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import align
from mmlt.models.posthoc import FRACAL, LogitAdjustment, NorCal

# What is swept of them.
EDITS = {
    'logit-adjustment': (LogitAdjustment, 'tau'),
    'norcal': (NorCal, 'gamma'),
    'fracal': (FRACAL, 'power'),
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('logits', help='what test.py --dump-logits wrote')
    parser.add_argument(
        '--class-stats',
        required=True,
        metavar='FILE',
        help='training counts: the checkpoint (.pth) that wrote the logits, '
        'trained with mmlt.ClassStatsHook, or the JSON of class_stats.py',
    )
    parser.add_argument(
        '--taus',
        nargs=3,
        type=float,
        default=(0.0, 2.0, 41),
        metavar=('START', 'STOP', 'NUM'),
        help='NUM evenly spaced values, both ends included, and 1 if it lies '
        'between them; default: 0 2 41',
    )
    parser.add_argument(
        '--zero-count',
        default='error',
        help='classes without training images: error, or one (count as one)',
    )
    parser.add_argument(
        '--thresholds',
        nargs='+',
        type=int,
        default=(20, 101),
        help='counts, each the first of the next group; default: 20 101',
    )
    parser.add_argument(
        '--group-names',
        nargs='+',
        default=('few', 'medium', 'many'),
        help='rarest first; default: few medium many',
    )
    boxes = parser.add_argument_group('of a detector')
    boxes.add_argument(
        '--ann-file', help='annotations that the images were held out from'
    )
    boxes.add_argument(
        '--edit',
        choices=tuple(EDITS),
        default='logit-adjustment',
        help='what to sweep; default: logit-adjustment',
    )
    boxes.add_argument(
        '--by',
        choices=('image', 'instance'),
        help='what to count; default: as the edit has it',
    )
    parser.add_argument('--out', default='.', help='folder to write to')
    return parser.parse_args(argv)


def taus_of(start: float, stop: float, num: float) -> np.ndarray:
    """Evenly spaced values, and 1, the value of theory, between them.

    Raises:
        ValueError: If they are not finite, or ``num`` is no number of them.
    """
    finite = math.isfinite(start) and math.isfinite(stop)
    if not finite or num < 1 or num != int(num) or start > stop:
        raise ValueError(
            'taus must be a finite START <= STOP and a whole NUM >= 1, got '
            f'{start:g} {stop:g} {num:g}'
        )
    taus = np.linspace(start, stop, int(num))
    if start < 1 < stop and not np.isclose(taus, 1).any():
        taus = np.insert(taus, np.searchsorted(taus, 1), 1)
    return taus


def print_table(sweep: TauSweep) -> None:
    """About 20 taus, with 1, the chosen one and its neighbours."""
    table = Table(title='Held-out accuracy (%)')
    for name in ('tau', 'balanced', *sweep.group_names[::-1], 'overall'):
        table.add_column(name, justify='right')
    step = math.ceil(len(sweep.taus) / 20)
    for t, tau in enumerate(sweep.taus):
        asked_for = abs(t - sweep.best) <= 1 or np.isclose(tau, 1)
        if t % step and not asked_for:
            continue
        groups = ('-' if np.isnan(x) else f'{x:.2f}' for x in sweep.groups[t])
        table.add_row(
            f'{tau:.4g}',
            f'{sweep.balanced[t]:.2f}',
            *list(groups)[::-1],
            f'{sweep.overall[t]:.2f}',
            style='bold' if t == sweep.best else None,
        )
    Console(width=100).print(table)


def print_notes(sweep: TauSweep, labels: torch.Tensor, classes: int) -> None:
    """What to know about the choice."""
    absent = classes - len(labels.unique())
    if absent:
        print(
            f'Note: {absent} of {classes} classes have no held-out sample; '
            'they do not count in the means.'
        )
    if len(sweep.taus) > 1 and sweep.best in (0, len(sweep.taus) - 1):
        print('Note: the best tau is the end of the range; widen --taus.')


def sweep_classifier(
    args: argparse.Namespace,
    dump: dict,
    stats: ClassStats,
    taus: np.ndarray,
    out: Path,
) -> None:
    """Write and print the accuracies for each tau."""
    sweep = sweep_tau(
        dump['logits'],
        dump['labels'],
        stats,
        taus,
        args.zero_count,
        args.thresholds,
        args.group_names,
    )
    draw_tau_sweep(sweep, out / 'tau_sweep.png')
    result = json.dumps(sweep.to_dict())
    (out / 'tau_sweep.json').write_text(f'{result}\n')
    print_table(sweep)
    print_notes(sweep, dump['labels'], stats.num_classes)
    print(f'Best tau: {sweep.best_tau:.4g}')


def sweep_detector(
    args: argparse.Namespace,
    dump: dict,
    stats: ClassStats,
    taus: np.ndarray,
    out: Path,
) -> None:
    """Write and print the average precisions for each strength."""
    from mmlt.analysis import box_sweep

    if args.ann_file is None:
        raise ValueError(
            f'{args.logits} holds boxes: give the annotations that the images '
            'were held out from, --ann-file FILE'
        )
    edit, name = EDITS[args.edit]
    options = dict(zero_count=args.zero_count)
    if args.by is not None:
        options['by'] = args.by
    edits = {tau: edit(**{name: tau}, **options) for tau in taus.tolist()}
    ann_file = out / 'held_out.json'
    img_ids = [image['img_id'] for image in dump['images']]
    box_sweep.held_out_annotations(args.ann_file, img_ids, ann_file)
    sweep = box_sweep.sweep_boxes(dump, ann_file, edits, stats, name)
    box_sweep.draw_box_sweep(sweep, out / 'tau_sweep.png')
    result = json.dumps(sweep.to_dict())
    (out / 'tau_sweep.json').write_text(f'{result}\n')
    table = Table(title='Held-out box AP (%)')
    for column in (name, *sweep.scores):
        table.add_column(column, justify='right')
    for t, values in enumerate(zip(*sweep.scores.values(), strict=True)):
        table.add_row(
            f'{sweep.strengths[t]:.4g}',
            *(f'{value:.2f}' for value in values),
            style='bold' if t == sweep.best else None,
        )
    Console(width=100).print(table)
    if len(taus) > 1 and sweep.best in (0, len(taus) - 1):
        print(f'Note: the best {name} is the end of the range; widen --taus.')
    print(f'Best {name}: {sweep.strengths[sweep.best]:.4g}')


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    taus = taus_of(*args.taus)
    dump = load_held_out(args.logits)
    if Path(args.class_stats).suffix == '.pth':
        check_unadjusted(args.class_stats)
    stats = ClassStats.from_any(args.class_stats)
    stats = align(stats, dump.get('classes'), 'sweep_tau', 'the held-out data')
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    if 'images' in dump:
        sweep_detector(args, dump, stats, taus, out)
    else:
        sweep_classifier(args, dump, stats, taus, out)
    if dump.get('applied') is None:
        print(
            f'{args.logits} does not say whether its logits are adjusted '
            'already; those that tools/test.py writes do.'
        )
    print(f'Wrote {out / "tau_sweep.png"} and {out / "tau_sweep.json"}')


if __name__ == '__main__':
    main()
