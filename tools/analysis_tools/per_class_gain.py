"""Average precision that a multi-label run gains over another, class by class.

A run is a config and a checkpoint, or the file of its logits that
``tools/test.py CONFIG CHECKPOINT --multi-label --dump-logits FILE`` writes.

Example::

    python tools/analysis_tools/per_class_gain.py \\
        --base ERM configs/db_loss/x.py work_dirs/x/epoch_8.pth \\
        --run DB-Focal configs/db_loss/y.py work_dirs/y/epoch_8.pth \\
        --out per_class_gain
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from mmlt.analysis.per_class_accuracy import class_rows
from mmlt.analysis.per_class_gain import (
    compare_runs,
    draw_per_class_gain,
    load_logits,
    training_stats,
)
from mmlt.class_stats import check_thresholds
from mmlt.engine.launch import build_runner, load_config
from mmlt.evaluation.functional import group_means


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    for flag, text in (('--base', 'compared with'), ('--run', 'looked at')):
        add(
            flag,
            nargs='+',
            required=True,
            metavar='WORD',
            help=f'the run that is {text}: NAME LOGITS, or NAME CONFIG '
            'CHECKPOINT',
        )
    add(
        '--class-stats',
        metavar='FILE',
        help='training counts: the JSON of class_stats.py, or a checkpoint '
        '(.pth); default: those in the checkpoints',
    )
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
        default=('tail', 'medium', 'head'),
        help='rarest first; default: tail medium head',
    )
    add('--out', type=Path, default=Path('per_class_gain'), help='folder')
    args = parser.parse_args(argv)
    for flag in ('base', 'run'):
        words = getattr(args, flag)
        if len(words) not in (2, 3):
            parser.error(
                f'--{flag} must be NAME LOGITS or NAME CONFIG CHECKPOINT, '
                f'got {len(words)} words'
            )
    return args


def test(name: str, config: str, checkpoint: str, out: Path) -> Path:
    """Test a classifier; return the file of its logits."""
    cfg = load_config(config, work_dir=str(out / name))
    cfg.load_from = checkpoint
    path = out / name / 'logits.pt'
    cfg.test_evaluator = dict(
        type='mmlt.DumpLogits',
        out_file=str(path),
        split='test',
        multi_label=True,
    )
    build_runner(cfg).test()
    return path


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_thresholds(args.thresholds)
    runs = [args.base, args.run]
    checkpoints = [words[2] for words in runs if len(words) == 3]
    stats = training_stats(args.class_stats, checkpoints)
    dumps = [
        load_logits(words[1] if len(words) == 2 else test(*words, args.out))
        for words in runs
    ]
    base, run = compare_runs(*dumps, stats)
    args.out.mkdir(parents=True, exist_ok=True)
    figure = args.out / 'per_class_gain.png'
    draw_per_class_gain(
        stats,
        run - base,
        figure,
        args.thresholds,
        args.group_names,
        title=f'{args.run[0]} over {args.base[0]}',
    )
    values = {args.base[0]: base, args.run[0]: run, 'gain': run - base}
    group = stats.groups(args.thresholds)
    groups = [args.group_names[g] for g in group]
    names = stats.classes or range(stats.num_classes)
    table = args.out / 'per_class_gain.csv'
    with open(table, 'w', newline='', encoding='utf-8') as file:
        csv.writer(file).writerows(class_rows(stats, names, groups, values))
    for name, ap in values.items():
        means = group_means(ap, group, len(args.group_names))
        parts = zip(args.group_names, means, strict=True)
        print(
            f'{name}: mAP {np.nanmean(ap):.2f}',
            *(f'{word} {mean:.2f}' for word, mean in list(parts)[::-1]),
        )
    unknown = int(np.isnan(run).sum())
    if unknown:
        print(f'Without positives in the test set: {unknown} classes')
    print(f'Wrote {figure} and {table}')


if __name__ == '__main__':
    main()
