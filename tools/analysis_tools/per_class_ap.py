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
from mmengine.config import Config
from mmengine.runner import Runner

from mmlt.analysis.per_class_accuracy import draw_per_class_accuracy
from mmlt.class_stats import ClassStats
from mmlt.evaluation.functional import group_means
from mmlt.evaluation.lvis.protocol import (
    GROUPS,
    Detections,
    average_precision,
    evaluate,
    load_annotations,
)


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
        columns = {
            key: [entry[key] for entry in entries]
            for key in ('image_id', 'category_id', 'bbox', 'score')
        }
        masks = None
        if iou_type == 'segm':
            masks = [entry['segmentation'] for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'predictions: {path!r} holds no {iou_type} detections '
            f'({type(error).__name__}: {error}); write it with '
            'mmlt.LVISMetric(outfile_prefix=...)'
        ) from error
    return Detections(
        np.array(columns['image_id'], np.int64),
        np.array(columns['category_id'], np.int64),
        np.array(columns['bbox'], np.float64).reshape(-1, 4),
        np.array(columns['score'], np.float64),
        masks,
    )


def predict(
    name: str, config: str, checkpoint: str, args: argparse.Namespace
) -> str:
    """Test a detector; return the file of its predictions."""
    cfg = Config.fromfile(config)
    cfg.load_from = checkpoint
    cfg.work_dir = str(args.out / name)
    prefix = args.out / name / 'predictions'
    cfg.test_evaluator = dict(
        type='mmlt.LVISMetric',
        ann_file=args.ann_file,
        metric=args.metric,
        format_only=True,
        outfile_prefix=str(prefix),
    )
    Runner.from_cfg(cfg).test()
    return f'{prefix}.{args.metric}.json'


def class_ap(
    annotations: object, detections: Detections, iou_type: str
) -> np.ndarray:
    """(C,) AP in percent, in file order; NaN for what does not occur.

    Raises:
        ValueError: If the detections are of other images.
    """
    unknown = set(detections.image_id.tolist()) - set(annotations.imgs)
    if unknown:
        raise ValueError(
            f'predictions: the annotation file has no image {min(unknown)}; '
            'both must be of one split'
        )
    precision = evaluate(annotations, detections, iou_type).precision
    row = {category: k for k, category in enumerate(sorted(annotations.cats))}
    return np.array(
        [
            100 * average_precision(precision[:, :, row[category], 0])
            for category in annotations.cats
        ]
    )


def training_stats(annotations: object, given: str | None) -> ClassStats:
    """What is given, or the counts in the annotation file.

    Raises:
        ValueError: If the file has none or the classes differ in number.
    """
    cats = list(annotations.cats.values())
    if given is not None:
        stats = ClassStats.from_any(given)
        if stats.num_classes != len(cats):
            raise ValueError(
                f'class_stats: {stats.num_classes} classes, but ann_file has '
                f'{len(cats)} categories'
            )
        return stats
    if not all('image_count' in category for category in cats):
        raise ValueError(
            'ann_file: its categories have no image_count; give --class-stats'
        )
    return ClassStats(
        [category['image_count'] for category in cats],
        classes=[category['name'] for category in cats],
    )


def main(argv: list[str] | None = None) -> None:
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
    with open(args.out / 'per_class_ap.csv', 'w', newline='') as file:
        table = csv.writer(file)
        table.writerow(['class', 'group', 'training images', *results])
        for k in np.argsort(-stats.image_count, kind='stable'):
            table.writerow(
                [cats[k]['name'], cats[k]['frequency'], stats.image_count[k]]
                + [f'{values[k]:.2f}' for values in results.values()]
            )
    draw_per_class_accuracy(
        stats, results, args.out / 'per_class_ap.png', measure='AP'
    )
    groups = np.array([GROUPS.index(each['frequency']) for each in cats])
    for name, values in results.items():
        means = group_means(values, groups, len(GROUPS))
        print(
            f'{name}: AP {np.nanmean(values):.2f}',
            *(f'{g} {x:.2f}' for g, x in zip(GROUPS, means, strict=True)),
        )
    print(f'wrote {args.out}/per_class_ap.csv and .png')


if __name__ == '__main__':
    main()
