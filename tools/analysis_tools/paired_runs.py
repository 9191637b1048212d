"""Rank methods over seeds, and test each against a base in pairs.

Each folder holds a work folder for each seed, ``METHOD/SEED``::

    python tools/analysis_tools/paired_runs.py work_dirs/{ce,rfs,bags} \\
        --base work_dirs/ce \\
        --metrics lvis/bbox_AP lvis/bbox_APr lvis/bbox_APc lvis/bbox_APf

Prints a Markdown table: mean and standard deviation, and in the first metric
the gain over the base with the p-value of Student's paired two-sided t-test.
"""

import argparse
from pathlib import Path

from mmlt.analysis.paired_runs import paired_table


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('folders', type=Path, nargs='+', help='METHOD, with METHOD/SEED in it')
    add('--base', type=Path, required=True, help='one of them')
    add('--metrics', nargs='+', default=['lvis/bbox_AP'], help='as in the log')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    names = [metric.rpartition('_')[2] for metric in args.metrics]
    head = ['Rank', 'Method', *names, f'Gain in {names[0]}', 'p']
    print('|', ' | '.join(head), '|')
    print('|-' * len(head) + '|')
    for row in paired_table(args.folders, args.base, args.metrics):
        cells = [
            f'{mean:.1f}' if sd != sd else f'{mean:.1f} +- {sd:.1f}'
            for mean, sd in zip(row['mean'], row['sd'], strict=True)
        ]
        p = '' if row['p'] != row['p'] else f'{row["p"]:.3f}'
        cells = [str(row['rank']), row['name'], *cells, f'{row["gain"]:+.1f}']
        print('|', ' | '.join([*cells, p]), '|')


if __name__ == '__main__':
    main()
