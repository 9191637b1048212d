"""Time and memory of LVIS evaluation: hotcoco against lvis-api.

Both evaluate the same random detections in processes of their own, in turns;
memory is the peak less what the process holds before it starts, detections
and imported packages. The 13 numbers must agree. Linux only.

Example::

    python tools/benchmarks/lvis_eval.py --images 2000 --detections 250
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import lvis_api
import numpy as np

from mmlt.evaluation import lvis as mmlt_lvis
from mmlt.evaluation.lvis import GROUPS, Detections, summarize

SIDE = 640
BACKENDS = {'hotcoco': mmlt_lvis, 'lvis': lvis_api}


def random_boxes(number: int, rng: np.random.Generator) -> np.ndarray:
    size = np.exp(rng.uniform(np.log(8), np.log(300), (number, 2)))
    return np.concatenate([rng.random((number, 2)) * (SIDE - size), size], 1)


def write_data(args: argparse.Namespace, folder: Path) -> None:
    """Annotations, 12 an image, and detections, half of them near one."""
    rng = np.random.default_rng(0)
    share = np.arange(1, args.categories + 1) ** -1.0
    share /= share.sum()
    ids = np.arange(1, args.categories + 1)
    annotations, images, columns = [], [], []
    for image in range(1, args.images + 1):
        boxes = random_boxes(12, rng)
        labels = rng.choice(ids, 12, p=share)
        for box, label in zip(boxes.tolist(), labels.tolist(), strict=True):
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': image,
                    'category_id': label,
                    'bbox': box,
                    'area': box[2] * box[3],
                }
            )
        images.append(
            {
                'id': image,
                'height': SIDE,
                'width': SIDE,
                'neg_category_ids': np.setdiff1d(
                    rng.choice(ids, 200, p=share), labels
                ).tolist(),
                'not_exhaustive_category_ids': labels[:1].tolist(),
            }
        )
        number = args.detections
        near = rng.integers(12, size=number)
        hit = rng.random(number) < 0.5
        found = np.where(
            hit[:, None],
            boxes[near] * rng.normal(1, 0.06, (number, 4)),
            random_boxes(number, rng),
        )
        category = np.where(
            hit, labels[near], rng.choice(ids, number, p=share)
        )
        columns.append(
            (np.full(number, image), category, found, rng.random(number))
        )
    categories = [
        {'id': int(i), 'name': f'{i}', 'frequency': GROUPS[i % 3]} for i in ids
    ]
    (folder / 'annotations.json').write_text(
        json.dumps(
            {
                'images': images,
                'annotations': annotations,
                'categories': categories,
            }
        )
    )
    arrays = (np.concatenate(part) for part in zip(*columns, strict=True))
    np.savez(folder / 'detections.npz', *arrays)


def memory(what: str) -> float:
    """Bytes that this process holds (VmRSS) or has held at most (VmHWM)."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(what):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f'/proc/self/status has no {what}')


def measure(folder: Path, backend: str) -> dict:
    """Load and evaluate once, in this process."""
    arrays = np.load(folder / 'detections.npz')
    detections = Detections(*(arrays[name] for name in arrays.files))
    idle = memory('VmRSS')
    start = time.perf_counter()
    annotations = BACKENDS[backend].load_annotations(
        folder / 'annotations.json'
    )
    loaded = time.perf_counter()
    curves = BACKENDS[backend].evaluate(annotations, detections)
    done = time.perf_counter()
    cats = annotations.cats
    frequency = np.array([cats[i]['frequency'] for i in sorted(cats)])
    return {
        'load_s': loaded - start,
        'evaluate_s': done - loaded,
        'peak_gb': (memory('VmHWM') - idle) / 1e9,
        'scores': summarize(curves, frequency),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--images', type=int, default=2000)
    parser.add_argument('--detections', type=int, default=250)
    parser.add_argument('--categories', type=int, default=1203)
    parser.add_argument('--turns', type=int, default=1)
    parser.add_argument('--child', nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        folder, backend = args.child
        result = measure(Path(folder), backend)
        # Not printed: the backends print, too.
        Path(folder, 'result.json').write_text(json.dumps(result))
        return

    results: dict[str, list[dict]] = {name: [] for name in BACKENDS}
    with tempfile.TemporaryDirectory() as folder:
        write_data(args, Path(folder))
        for _ in range(args.turns):
            for name in BACKENDS:
                subprocess.run(
                    [sys.executable, __file__, '--child', folder, name],
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                result = Path(folder, 'result.json').read_text()
                results[name].append(json.loads(result))
    print(
        f'{args.images} images, {args.detections} detections each, '
        f'{args.categories} categories'
    )
    median = {
        name: {
            key: statistics.median(turn[key] for turn in turns)
            for key in ('load_s', 'evaluate_s', 'peak_gb')
        }
        for name, turns in results.items()
    }
    for name, values in median.items():
        print(
            f'  {name:8s} load {values["load_s"]:6.2f} s, evaluate '
            f'{values["evaluate_s"]:7.2f} s, memory {values["peak_gb"]:.2f} GB'
        )
    total = {
        name: values['load_s'] + values['evaluate_s']
        for name, values in median.items()
    }
    ours, theirs = (results[name][0]['scores'] for name in BACKENDS)
    print(
        f'  ratio: time {total["lvis"] / total["hotcoco"]:.1f}, memory '
        f'{median["lvis"]["peak_gb"] / median["hotcoco"]["peak_gb"]:.1f}; '
        'largest difference of the 13 numbers: '
        f'{max(abs(ours[key] - theirs[key]) for key in ours):.1e}'
    )


if __name__ == '__main__':
    main()
