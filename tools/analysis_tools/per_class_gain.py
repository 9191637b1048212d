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
import torch

from mmlt.analysis.per_class_gain import draw_per_class_gain
from mmlt.class_stats import ClassStats, check_thresholds
from mmlt.class_stats.storage import load_tensors
from mmlt.engine.launch import build_runner, load_config
from mmlt.evaluation.functional import group_means
from mmlt.evaluation.metrics.shot_multi_label_map import (
    class_average_precision,
)


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


def load_logits(path: str | Path) -> dict:
    """Read logits and labels of multi-label data.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds something else.
    """
    dump = load_tensors(path, 'logits')
    missing = {'logits', 'labels', 'sample_idx'} - set(dump)
    if missing or dump['labels'].shape != dump['logits'].shape:
        raise ValueError(
            f'logits: {str(path)!r} holds none of multi-label data; write it '
            'with tools/test.py --multi-label --dump-logits'
        )
    return dump


def check_pair(base: dict, run: dict, stats: ClassStats) -> None:
    """Raise if logits are of other samples or classes."""
    for key in ('sample_idx', 'labels'):
        if not torch.equal(base[key], run[key]):
            raise ValueError(
                f'base and run differ in {key}; test both on the same data'
            )
    num_classes = run['logits'].shape[1]
    if num_classes != stats.num_classes:
        raise ValueError(
            f'class_stats: {stats.num_classes} classes, but the logits have '
            f'{num_classes}; give those of the training set'
        )


def training_stats(given: str | None, checkpoints: list[str]) -> ClassStats:
    """What is given, or what the checkpoints agree on."""
    files = checkpoints if given is None else [given]
    if not files:
        raise ValueError(
            'class_stats: logits do not tell the training counts; give '
            '--class-stats'
        )
    first, *others = map(ClassStats.from_any, files)
    for stats in others:
        difference = first.difference(stats)
        if difference is not None:
            raise ValueError(
                'class_stats: the checkpoints were trained on different '
                f'data ({difference}); choose with --class-stats'
            )
    return first


def write_csv(
    path: Path, stats: ClassStats, groups: list[str], values: dict
) -> None:
    """One row a class, the most frequent first."""
    names = stats.classes or range(stats.num_classes)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        table = csv.writer(file)
        table.writerow(['class', 'group', 'training images', *values])
        for k in np.argsort(-stats.image_count, kind='stable'):
            row = [f'{column[k]:.2f}' for column in values.values()]
            table.writerow([names[k], groups[k], stats.image_count[k], *row])


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
    check_pair(*dumps, stats)
    base, run = (
        class_average_precision(dump['logits'].numpy(), dump['labels'].numpy())
        for dump in dumps
    )
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
    table = args.out / 'per_class_gain.csv'
    write_csv(table, stats, groups, values)
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
