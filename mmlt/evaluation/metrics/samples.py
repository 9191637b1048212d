"""What metrics read from samples. C classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


def check_predictions(name: str, values: Sequence[Tensor]) -> None:
    """Raise unless all predictions of a batch are finite.

    This waits for the device, once.

    Args:
        name (str): What is predicted.
        values (Sequence[Tensor]): That of each sample, of any shape.

    Raises:
        ValueError: Says how many samples have NaN or infinity.
    """
    if not values or torch.cat([v.flatten() for v in values]).isfinite().all():
        return
    wrong = sum(not value.isfinite().all() for value in values)
    raise ValueError(
        f'{name} is not finite in {wrong} of the {len(values)} samples of a '
        'batch; scores must hold probabilities, and boxes pixels. The '
        'training has diverged: lower the learning rate or clip the gradients'
    )


def label_of_first(dataset: Any, metric: str) -> Any:
    """Label of the first image, or None if that is not known.

    Args:
        dataset: To be scored; of any library.
        metric (str): What is to score it, for errors.

    Raises:
        ValueError: If the images have boxes instead.
    """
    if not hasattr(dataset, 'get_data_info') or not len(dataset):
        return None
    info = dataset.get_data_info(0)
    if 'instances' in info and not {'gt_label', 'gt_score'} & info.keys():
        raise ValueError(
            f'{metric} scores classifiers, but {type(dataset).__name__} has '
            'boxes; use LVISMetric or ShotCocoMetric for a detector'
        )
    return info.get('gt_label')


def label_vector(sample: dict, score: Tensor) -> Tensor:
    """The labels of a sample of multi-label data.

    Args:
        sample (dict): With ``gt_score`` (C,) of 0, 1 and -1 (not known) or
            ``gt_label``, the classes of the image.
        score (Tensor): (C,) its scores.

    Returns:
        Tensor: (C,) int8 of 0, 1 and -1, on the CPU.

    Raises:
        ValueError: If the sample has other labels or classes.
    """
    if 'gt_score' in sample:
        given = sample['gt_score'].cpu()
        fits = given.shape == score.shape
        if not fits or not ((given.abs() == 1) | (given == 0)).all():
            raise ValueError(
                f'gt_score must hold 0, 1 or -1 (not known) for each of the '
                f'{score.numel()} classes, got {given.tolist()}'
            )
        return given.char()
    label = sample['gt_label'].cpu().long()
    if label.numel() and not 0 <= label.min() <= label.max() < score.numel():
        raise ValueError(
            f'gt_label must hold classes in [0, {score.numel()}), got '
            f'{label.tolist()}'
        )
    return score.new_zeros(score.shape).cpu().index_fill(0, label, 1).char()
