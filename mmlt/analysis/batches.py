"""What the batches of a training look like, with and without its sampler."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from mmengine.runner import Runner
from torch import Tensor

from mmlt.class_stats import ClassStats, collect_class_stats

COLUMNS = 8


@dataclass(frozen=True, eq=False)
class Sample:
    """An image of a batch.

    Args:
        image (np.ndarray): (H, W, 3), RGB, or (H, W), uint8.
        labels (list[int]): Its labels; of a detector those of the boxes.
        boxes (np.ndarray | None): (n, 4) x1, y1, x2, y2 in pixels.
    """

    image: np.ndarray
    labels: list[int]
    boxes: np.ndarray | None = None


def sample_batches(
    loader: dict, num_images: int, seed: int, to_rgb: bool
) -> tuple[dict[str, list[Sample]], ClassStats]:
    """Images of the first batches, by a uniform and the config's sampler.

    Args:
        loader (dict): ``train_dataloader`` of a config.
        num_images (int): How many of each.
        seed (int): Of the samplers and of random transforms.
        to_rgb (bool): Whether channels are turned round.

    Returns:
        tuple[dict[str, list[Sample]], ClassStats]: Samples by the name of the
        sampler, and the statistics of the training set.

    Raises:
        ValueError: If the data set has no images, such as one of features.
    """
    loader = dict(loader, num_workers=0, persistent_workers=False)
    shuffled = dict(type='DefaultSampler', shuffle=True)
    uniform = dict(loader, sampler=shuffled)
    uniform.pop('batch_sampler', None)
    own = loader.get('batch_sampler') or loader['sampler']
    name = own['type'].rpartition('.')[2]
    batches = {}
    for title, cfg in (('uniform', uniform), (name, loader)):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 the transforms draw from it
        built = Runner.build_dataloader(cfg, seed=seed)
        samples = []
        for batch in built:
            samples += _samples(batch, to_rgb)
            if len(samples) >= num_images:
                break
        # Evenly over the batch, whose second half may be another sampler's.
        chosen = np.linspace(0, len(samples) - 1, num_images).round()
        batches[title] = [samples[k] for k in np.unique(chosen.astype(int))]
    return batches, collect_class_stats(built.dataset)


def _samples(batch: Mapping[str, Any], to_rgb: bool) -> list[Sample]:
    return [
        _sample(image, sample, to_rgb)
        for image, sample in zip(
            batch['inputs'], batch['data_samples'], strict=True
        )
    ]


def _sample(image: Tensor, sample: Any, to_rgb: bool) -> Sample:
    if image.dim() != 3:
        raise ValueError(
            f'train_dataloader: samples have the shape {tuple(image.shape)} '
            'and are no images; give a config that loads images'
        )
    pixels = image.permute(1, 2, 0).byte().numpy()
    pixels = pixels[..., ::-1] if to_rgb else pixels
    pixels = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if 'gt_instances' in sample:
        instances = sample.gt_instances
        # A tensor in a wrapper, behind MMDetection's pipelines.
        boxes = getattr(instances.bboxes, 'tensor', instances.bboxes)
        return Sample(pixels, instances.labels.tolist(), boxes.numpy())
    return Sample(pixels, sample.gt_label.tolist())


def draw_batches(
    batches: Mapping[str, Sequence[Sample]],
    stats: ClassStats,
    path: str | Path,
) -> None:
    """Draw the images with names and training counts of their classes.

    Args:
        batches (Mapping[str, Sequence[Sample]]): Images by the name of the
            sampler.
        stats (ClassStats): Of the training set.
        path (str | Path): File to write.
    """
    rows = {k: math.ceil(len(v) / COLUMNS) for k, v in batches.items()}
    figure = Figure(
        figsize=(1.6 * COLUMNS, 1.9 * sum(rows.values()) + 0.4 * len(rows)),
        layout='constrained',
    )
    parts = figure.subfigures(len(rows), 1, height_ratios=list(rows.values()))
    for part, (title, samples) in zip(
        np.atleast_1d(parts), batches.items(), strict=True
    ):
        seen = {label for sample in samples for label in sample.labels}
        part.suptitle(
            f'{title}: {len(samples)} images, {len(seen)} of '
            f'{stats.num_classes} classes'
        )
        axes = part.subplots(rows[title], COLUMNS, squeeze=False).ravel()
        for axis in axes:
            axis.axis('off')
        for axis, sample in zip(axes, samples, strict=False):
            _draw(axis, sample, stats)
    figure.savefig(path, dpi=120)


def _draw(axis: Any, sample: Sample, stats: ClassStats) -> None:
    axis.imshow(sample.image, cmap='gray', vmin=0, vmax=255)
    count = stats.image_count
    rarest = sorted(set(sample.labels), key=lambda k: count[k])
    lines = [f'{_name(stats, k)} ({count[k]})' for k in rarest[:3]]
    if len(rarest) > 3:
        lines[-1] += f' + {len(rarest) - 3}'
    axis.set_title('\n'.join(lines), fontsize=7)
    for x1, y1, x2, y2 in () if sample.boxes is None else sample.boxes:
        size = x2 - x1, y2 - y1
        axis.add_patch(Rectangle((x1, y1), *size, fill=False, color='C1'))


def _name(stats: ClassStats, label: int) -> str:
    return str(label) if stats.classes is None else stats.classes[label]
