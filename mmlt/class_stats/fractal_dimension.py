"""How the boxes of a class spread over images. C classes, L boxes."""

from __future__ import annotations

import numpy as np

# Cells a side. Those of a grid are halves of those of the one before.
GRIDS = 2 ** np.arange(7)
FEWEST_BOXES = 4


def fractal_dimension(
    labels: np.ndarray, centres: np.ndarray, num_classes: int
) -> np.ndarray:
    """Box-counting dimension of the centres of each class's boxes.

    `Fractal Calibration for Long-Tailed Object Detection
    <https://arxiv.org/abs/2410.11774>`_: the slope of log N(G) over log G, by
    least squares, where N(G) of the G x G cells of an image hold a centre, in
    any image, for G = 1, 2, 4, ..., 64. A class that lies on a line has the
    dimension 1, one that fills the image 2. Below 1, and with fewer than 4
    boxes, it is taken to be 1.

    Args:
        labels (np.ndarray): (L,) int64, class of each box.
        centres (np.ndarray): (L, 2) x and y, in shares of the image.
        num_classes (int): C.

    Returns:
        np.ndarray: (C,) float64 in [1, 2].
    """
    side = GRIDS[-1]
    cells = (centres * side).astype(np.int64).clip(0, side - 1)
    occupied = np.zeros((num_classes, side, side), dtype=bool)
    occupied[labels, cells[:, 0], cells[:, 1]] = True
    counts = [occupied.sum(axis=(1, 2))]
    for _ in GRIDS[1:]:
        occupied = occupied[:, ::2] | occupied[:, 1::2]
        occupied = occupied[:, :, ::2] | occupied[:, :, 1::2]
        counts.append(occupied.sum(axis=(1, 2)))
    log_count = np.log(np.maximum(counts[::-1], 1))
    slope = np.polyfit(np.log(GRIDS), log_count, deg=1)[0]
    boxes = np.bincount(labels, minlength=num_classes)
    return np.where(boxes < FEWEST_BOXES, 1.0, slope.clip(1.0, 2.0))
