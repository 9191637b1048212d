"""What metrics read from samples. C classes."""

from __future__ import annotations

from torch import Tensor


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
