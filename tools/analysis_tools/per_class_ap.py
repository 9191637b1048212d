"""Compare detectors class by class, sorted by training frequency.

A run is a file of predictions, which ``mmlt.LVISMetric`` writes with
``outfile_prefix``, or a config and a checkpoint of any MMDetection detector
whose test set has annotations in the LVIS format.

Example::

    python tools/analysis_tools/per_class_ap.py \\
        --ann-file data/lvis_v1/annotations/lvis_v1_val.json \\
        --predictions baseline work_dirs/baseline/test.bbox.json \\
        --run BAGS configs/bags/x.py work_dirs/bags/epoch_12.pth \\
        --out per_class_ap
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np

from mmlt.analysis.per_class_accuracy import (
    class_rows,
    draw_per_class_accuracy,
)
from mmlt.analysis.per_class_ap import as_detections, class_ap, training_stats
from mmlt.engine.launch import build_runner, load_config
from mmlt.evaluation.functional import group_means
from mmlt.evaluation.lvis import GROUPS, Detections, load_annotations


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--ann-file', required=True, help='LVIS json of the test split')
    add(
        '--predictions',
        nargs=2,
        action='append',
        default=[],
        metavar=('NAME', 'JSON'),
    )
    add(
        '--run',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
    )
    add('--metric', choices=('bbox', 'segm'), default='bbox')
    add('--class-stats', help='json; default: the counts in --ann-file')
    add('--out', type=Path, default=Path('per_class_ap'), help='folder')
    args = parser.parse_args(argv)
    if not args.predictions + args.run:
        parser.error('nothing to compare: give --predictions or --run')
    return args


def read_predictions(path: str, iou_type: str) -> Detections:
    """Read a json file of detections.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it holds something else.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'predictions: no file {path!r}')
    try:
        entries = json.loads(Path(path).read_text(encoding='utf-8'))
        return as_detections(entries, iou_type)
    except ValueError as error:
        raise ValueError(
            f'predictions: {path!r} holds no {iou_type} detections ({error}); '
            'write it with mmlt.LVISMetric(outfile_prefix=...)'
        ) from error


def predict(
    name: str, config: str, checkpoint: str, args: argparse.Namespace
) -> str:
    """Test a detector; return the file of its predictions."""
    cfg = load_config(config, work_dir=str(args.out / name))
    cfg.load_from = checkpoint
    prefix = args.out / name / 'predictions'
    cfg.test_evaluator = dict(
        type='mmlt.LVISMetric',
        ann_file=args.ann_file,
        metric=args.metric,
        format_only=True,
        outfile_prefix=str(prefix),
    )
    build_runner(cfg).test()
    return f'{prefix}.{args.metric}.json'


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    annotations = load_annotations(args.ann_file)
    stats = training_stats(annotations, args.class_stats)
    files = dict(args.predictions)
    for name, config, checkpoint in args.run:
        files[name] = predict(name, config, checkpoint, args)
    results = {
        name: class_ap(
            annotations, read_predictions(path, args.metric), args.metric
        )
        for name, path in files.items()
    }
    cats = list(annotations.cats.values())
    names, frequency = (
        [c[key] for c in cats] for key in ('name', 'frequency')
    )
    table = args.out / 'per_class_ap.csv'
    with open(table, 'w', newline='', encoding='utf-8') as file:
        rows = class_rows(stats, names, frequency, results)
        csv.writer(file).writerows(rows)
    draw_per_class_accuracy(
        stats, results, args.out / 'per_class_ap.png', measure='AP'
    )
    groups = np.array([GROUPS.index(letter) for letter in frequency])
    for name, values in results.items():
        means = group_means(values, groups, len(GROUPS))
        print(
            f'{name}: AP {np.nanmean(values):.2f}',
            *(f'{g} {x:.2f}' for g, x in zip(GROUPS, means, strict=True)),
        )
    print(f'wrote {args.out}/per_class_ap.csv and .png')


if __name__ == '__main__':
    main()
