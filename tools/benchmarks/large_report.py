"""Time and size of the report on an LVIS-sized training set.

    python tools/benchmarks/large_report.py --out large_report.html

The annotations are those that count_classes.py generates: 100,170 images and
1,270,141 instances of 1,203 classes. It needs MMDetection.
"""

import argparse
import time
from pathlib import Path

from count_classes import generate

from mmlt.analysis.report.build import LVIS_GROUPS, begin_report
from mmlt.analysis.report.page import write_report
from mmlt.class_stats import collect_class_stats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=100_170)
    parser.add_argument('--instances', type=int, default=1_270_141)
    parser.add_argument('--out', type=Path, default=Path('large_report.html'))
    args = parser.parse_args()
    dataset = generate(args.images, args.instances, polygon_length=80)
    start = time.perf_counter()
    stats = collect_class_stats(dataset)
    facts = begin_report('generated', dataset, stats, *LVIS_GROUPS)
    write_report(facts, stats, args.out)
    print(
        f'{args.instances} instances: {time.perf_counter() - start:.1f} s, '
        f'{args.out.stat().st_size / 1e6:.2f} MB'
    )


if __name__ == '__main__':
    main()
