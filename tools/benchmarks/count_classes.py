"""Time and memory of counting the classes of an LVIS-sized annotation set.

    python tools/benchmarks/count_classes.py [--sizes]

The annotations are generated: as many images and instances as LVIS v1 has
for training, classes drawn by their frequency there, with boxes and polygons
of the usual length. MMDetection's data set holds them serialised, as it does
in training. Memory is the rise of the process's resident memory to its peak
while counting (Linux only). It needs MMDetection.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from mmdet.datasets import BaseDetDataset
from mmengine.dataset import ConcatDataset

from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.sizes import collect_size_stats

STATS = ClassStats.from_json('lvis_v1')


class GeneratedDataset(BaseDetDataset):
    """Random annotations, as ``LVISV1Dataset`` holds them.

    Args:
        labels (np.ndarray): (L,) class of each instance.
        lengths (np.ndarray): (N,) instances of each image.
        polygon_length (int): Coordinates of an instance's polygon.
    """

    METAINFO = {'classes': [f'class_{k}' for k in range(STATS.num_classes)]}  # noqa: RUF012

    def __init__(
        self, labels: np.ndarray, lengths: np.ndarray, polygon_length: int
    ) -> None:
        self.labels = np.split(labels, np.cumsum(lengths)[:-1])
        self.polygon_length = polygon_length
        super().__init__(ann_file='')

    def load_data_list(self) -> list[dict]:
        rng = np.random.default_rng(0)
        return [
            {
                'img_id': index,
                'img_path': f'train2017/{index:012d}.jpg',
                'height': 480,
                'width': 640,
                'instances': self._instances(labels, rng),
            }
            for index, labels in enumerate(self.labels)
        ]

    def _instances(
        self, labels: np.ndarray, rng: np.random.Generator
    ) -> list[dict]:
        corners = np.sort(640 * rng.random((len(labels), 2, 2)), axis=1)
        boxes = corners.reshape(-1, 4).tolist()
        polygons = rng.random((len(labels), self.polygon_length)).tolist()
        return [
            {'ignore_flag': 0, 'bbox': box, 'bbox_label': k, 'mask': [polygon]}
            for k, box, polygon in zip(
                labels.tolist(), boxes, polygons, strict=True
            )
        ]


def generate(
    num_images: int, num_instances: int, polygon_length: int, parts: int = 10
) -> ConcatDataset:
    """The data set in parts, to keep low the memory of generating it."""
    rng = np.random.default_rng(0)
    labels = rng.choice(STATS.num_classes, num_instances, p=STATS.prior())
    share = np.full(num_images, 1 / num_images)
    lengths = rng.multinomial(num_instances, share)
    datasets, start = [], 0
    for part in np.array_split(lengths, parts):
        stop = start + part.sum()
        datasets.append(
            GeneratedDataset(labels[start:stop], part, polygon_length)
        )
        start = stop
    return ConcatDataset(datasets)


def memory(field: str) -> int:
    """A memory field of this process, in bytes."""
    for line in Path('/proc/self/status').read_text().splitlines():
        name, _, value = line.partition(':')
        if name == field:
            return 1024 * int(value.split()[0])
    raise ValueError(f'/proc/self/status has no field {field}')


def reset_peak_memory() -> int:
    """Set the peak back to the present resident memory and return it."""
    Path('/proc/self/clear_refs').write_text('5')
    return memory('VmRSS')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=100_170)
    parser.add_argument('--instances', type=int, default=1_270_141)
    parser.add_argument('--polygon-length', type=int, default=80)
    parser.add_argument(
        '--sizes',
        action='store_true',
        help='count objects by size, at the scale of a network, instead',
    )
    args = parser.parse_args()

    dataset = generate(args.images, args.instances, args.polygon_length)
    size = sum(part.data_bytes.nbytes for part in dataset.datasets)
    print(
        f'data set: {args.images} images, {args.instances} instances, '
        f'{size / 1e9:.2f} GB'
    )
    before = reset_peak_memory()
    start, cpu_start = time.perf_counter(), time.process_time()
    if args.sizes:
        stats = collect_size_stats(dataset, scale=(1333, 800))
        number = stats.box_count.sum()
    else:
        stats = collect_class_stats(dataset)
        number = stats.instance_count.sum()
    seconds = time.perf_counter() - start
    cpu_seconds = time.process_time() - cpu_start
    extra = memory('VmHWM') - before
    print(
        f'counted {stats.num_images} images, {number} instances: '
        f'{seconds:.2f} s ({cpu_seconds:.2f} s of CPU), '
        f'{extra / 1e9:.3f} GB more'
    )


if __name__ == '__main__':
    main()
