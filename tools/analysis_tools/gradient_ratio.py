"""Negative gradient that each class receives per positive one.

Over the draws of one epoch of a multi-label config, of what pushes the logit
of a class down and up. Without a checkpoint all logits are 0: what sampler and
loss alone make of the labels. Example::

    python tools/analysis_tools/gradient_ratio.py \\
        configs/db_loss/x.py work_dirs/x/epoch_8.pth --csv ratios.csv
"""

import argparse
import csv
from pathlib import Path

from mmengine.config import DictAction
from mmengine.runner import Runner

from mmlt.analysis.gradient_ratio import gradient_ratio
from mmlt.analysis.per_class_accuracy import class_rows
from mmlt.class_stats import check_thresholds
from mmlt.class_stats.collect import collect_class_stats
from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.engine.launch import build_runner, load_config
from mmlt.evaluation.functional import group_means


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='multi-label config')
    add('checkpoint', nargs='?', help='of it; default: logits of 0')
    add('--csv', type=Path, help='write the ratios of all classes to this')
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
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value',
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_thresholds(args.thresholds)
    cfg = load_config(args.config, args.cfg_options)
    cfg.load_from = args.checkpoint
    runner = build_runner(cfg)
    runner.load_or_resume()
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    stats = collect_class_stats(loader.dataset)
    for module in runner.model.modules():
        if isinstance(module, ClassStatsReceiver):
            module.set_class_stats(stats)
    trained = args.checkpoint is not None
    ratio = gradient_ratio(runner.model, loader, trained).cpu().numpy()
    group = stats.groups(args.thresholds)
    means = group_means(ratio, group, len(args.group_names))
    print('Negative gradient per positive one, mean over the classes:')
    for name, mean in list(zip(args.group_names, means, strict=True))[::-1]:
        print(f'  {name}: {mean:.2f}')
    if args.csv is not None:
        groups = [args.group_names[g] for g in group]
        names = stats.classes or range(stats.num_classes)
        args.csv.parent.mkdir(parents=True, exist_ok=True)
        with open(args.csv, 'w', newline='', encoding='utf-8') as file:
            csv.writer(file).writerows(
                class_rows(stats, names, groups, {'ratio': ratio})
            )
        print(f'Wrote {args.csv}')


if __name__ == '__main__':
    main()
