"""An epoch of indices of ReversedSampler, beside two other ways to draw it.

    python tools/benchmarks/samplers.py

The data have the size of iNaturalist 2018 and long-tailed classes. The
contestants take turns in one run; the table shows the median time of an epoch
and the median of the ratios to our time in the same turn:

- ``WeightedRandomSampler`` of PyTorch, with a weight for each image.
- The linear scan: for each image, a random number is compared with the
  cumulated weights, class by class; then one image of the class is drawn. It
  is timed on ``--scan-draws`` draws and scaled to an epoch.
"""

import argparse
import random
import time
from collections.abc import Callable
from itertools import count

import numpy as np
from mmengine.dataset import BaseDataset
from timing import compare
from torch.utils.data import WeightedRandomSampler

from mmlt.datasets.samplers import ReversedSampler


class LabelDataset(BaseDataset):
    """Single-label data without images."""

    def __init__(self, labels: np.ndarray) -> None:
        self._labels = labels.tolist()
        super().__init__(serialize_data=False)

    def load_data_list(self) -> list[dict]:
        return [{'gt_label': label} for label in self._labels]


def long_tailed(num_images: int, num_classes: int) -> np.ndarray:
    """(num_images,) mixed labels; two images at least of each class."""
    rng = np.random.default_rng(0)
    weight = np.geomspace(1e6, 1, num_classes)
    spare = num_images - 2 * num_classes
    counts = 2 + rng.multinomial(spare, weight / weight.sum())
    return rng.permutation(np.repeat(np.arange(num_classes), counts))


def scan_classes(weights: list[float], threshold: float) -> int:
    """The first class at which the cumulated weights reach the threshold."""
    cumulated = 0.0
    for label, weight in enumerate(weights):
        cumulated += weight
        if threshold <= cumulated:
            return label
    return len(weights) - 1  # rounding


def linear_scan(labels: np.ndarray) -> Callable[[int], list[int]]:
    """A function that draws images as the scan over all classes does."""
    counts = np.bincount(labels)
    weights = (counts.max() / counts).tolist()
    total = sum(weights)
    images = np.split(np.argsort(labels), counts.cumsum()[:-1])
    images = [of_class.tolist() for of_class in images]

    def draw(num_draws: int) -> list[int]:
        indices = []
        for _ in range(num_draws):
            label = scan_classes(weights, random.random() * total)
            indices.append(random.choice(images[label]))
        return indices

    return draw


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--images', type=int, default=437_513)
    parser.add_argument('--classes', type=int, default=8142)
    parser.add_argument('--scan-draws', type=int, default=2000)
    parser.add_argument('--turns', type=int, default=11)
    args = parser.parse_args()

    labels = long_tailed(args.images, args.classes)
    counts = np.bincount(labels)
    dataset = LabelDataset(labels)
    print(
        f'{len(labels)} images, {len(counts)} classes of {counts.max()} to '
        f'{counts.min()} images'
    )
    start = time.perf_counter()
    ours = ReversedSampler(dataset, seed=0)
    print(f'ReversedSampler built in {time.perf_counter() - start:.2f} s')
    # P(image) = P(class) / n, with P(class) proportional to 1 / n
    weighted = WeightedRandomSampler(counts[labels] ** -2.0, len(labels))
    scan = linear_scan(labels)
    epochs = count()

    def draw_ours() -> None:
        ours.set_epoch(next(epochs))
        list(ours)

    timings = compare(
        {
            'ReversedSampler': draw_ours,
            'WeightedRandomSampler': lambda: list(weighted),
            'linear scan (scaled)': lambda: scan(args.scan_draws),
        },
        args.turns,
    )
    scale = {'linear scan (scaled)': len(labels) / args.scan_draws}
    for name, timing in timings.items():
        timing = timing.times(scale.get(name, 1))
        print(f'  {name:22s} {timing.seconds:9.4f} s  x {timing.ratio:.2f}')


if __name__ == '__main__':
    main()
