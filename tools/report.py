"""One page about a long tail: what the data hold, what runs make of it.

    python tools/report.py CONFIG --out report.html
    python tools/report.py CONFIG CE=work_dirs/ce LA=work_dirs/la \\
        --out report.html

The page needs no other file and no network: it opens in a browser and travels
by mail. Beside it, report.json has the same numbers. A run is a work_dir, of
which the page shows what it finds there: logits of test and of held-out images
(*.pt, which tools/test.py --dump-logits writes), detections (*.bbox.json,
which outfile_prefix of a metric names), the latest checkpoint; or one such
file. No image is loaded.
"""

import argparse
import time
from pathlib import Path

from mmengine.config import DictAction

from mmlt.analysis.report.build import build_report
from mmlt.analysis.report.page import write_report


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('config', help='config file, or the name of one of ours')
    add(
        'runs',
        nargs='*',
        metavar='RUN',
        help='work_dir, logits (.pt), detections (.json) or checkpoint '
        '(.pth), or NAME=PATH; gains are over the first one',
    )
    add('--out', type=Path, default=Path('report.html'), help='page to write')
    add('--force', action='store_true', help='overwrite what is there')
    add(
        '--thresholds',
        nargs='+',
        type=int,
        help='counts of training images, each the first of the next group; '
        "default: those of the config's metric, else 20 101 (LVIS: 11 101)",
    )
    add('--group-names', nargs='+', metavar='NAME', help='rarest first')
    add(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='change the config: key=value, key="[a,b]", nested.key=value',
    )
    args = parser.parse_args(argv)
    if args.out.suffix not in ('.html', '.htm'):
        parser.error(f'--out must be an .html file, got {str(args.out)!r}')
    files = [args.out, args.out.with_suffix('.json')]
    there = [str(file) for file in files if file.exists()]
    if there and not args.force:
        parser.error(f'--out: {there[0]!r} exists; --force overwrites it')
    return args


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    start = time.perf_counter()

    def say(text: str) -> None:
        print(f'[{time.perf_counter() - start:5.1f} s] {text}', flush=True)

    facts, stats = build_report(
        args.config,
        args.runs,
        args.cfg_options,
        args.thresholds,
        args.group_names,
        say,
    )
    say('drawing')
    numbers = write_report(facts, stats, args.out)
    say(f'wrote {args.out} and {numbers}')


if __name__ == '__main__':
    main()
