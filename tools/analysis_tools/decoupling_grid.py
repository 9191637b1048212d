"""Draw which features and which classifiers go together, from logs.

Error rates of the nine pairs of a representation and a classifier, each learnt
with cross entropy, re-weighting or re-sampling, as Figure 2 of BBN::

    NAME='grid-{features}-{classifier}_resnet32_30e_cifar10-lt-if50'
    python tools/analysis_tools/decoupling_grid.py "work_dirs/$NAME"

Runs with other seeds lie in folders of that folder.
"""

import argparse

import numpy as np

from mmlt.analysis.decoupling_grid import NAMES, draw_grid, grid


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('pattern', help='folder of a pair, with {features} and {classifier}')
    add(
        '--metric', default='accuracy/balanced', help='of the logs, in percent'
    )
    add('--title', default='')
    add('--out', default='decoupling_grid.png')
    args = parser.parse_args(argv)
    errors = grid(args.pattern, args.metric)
    draw_grid(args.out, errors, title=args.title)
    for features, row in zip(NAMES, errors, strict=True):
        for classifier, runs in zip(NAMES, row, strict=True):
            print(
                f'{features} features, {classifier} classifier: error '
                f'{np.mean(runs):.2f} % of {len(runs)} runs'
            )
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
