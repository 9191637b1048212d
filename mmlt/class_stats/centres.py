"""Where the boxes of a data set lie, how large they are. N images, L boxes."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np


class BoxCentres:
    """Gathers the centres and areas of boxes, image by image.

    They are known if each image says its ``width`` and ``height``, and each
    instance its ``bbox`` (x1, y1, x2, y2), both in pixels.
    """

    def __init__(self) -> None:
        self._corners = array('d')
        self._sizes = array('d')
        self._known = True

    def add(self, info: dict, instances: Sequence[dict]) -> None:
        """Take those of the next image, which has some."""
        corners: list[float] = []
        try:
            for instance in instances:
                corners.extend(instance['bbox'])
            self._corners.fromlist(corners)
            self._sizes.fromlist([info['width'], info['height']])
        except (KeyError, TypeError):
            self._known = False

    def centres_areas_and_sizes(
        self, lengths: np.ndarray
    ) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        """The centres and areas of all boxes, and the sizes of images.

        Args:
            lengths (np.ndarray): (N,) boxes of each image.

        Returns:
            tuple: (L, 2) float32 x and y in shares of the image, (L,)
            float32 square pixels, and (N, 2) float32 width and height, 0 for
            an image without a box; None for all if not known.
        """
        image_sizes = np.zeros((len(lengths), 2), dtype=np.float32)
        has_boxes = lengths > 0
        lengths = lengths[has_boxes]
        corners = np.asarray(self._corners)
        sizes = np.asarray(self._sizes).reshape(-1, 2)
        # Polygons and rotated boxes have other numbers than four.
        if not (
            self._known
            and len(corners) == 4 * lengths.sum()
            and len(sizes) == len(lengths)
            and (sizes > 0).all()
        ):
            return None, None, None
        low, high = np.hsplit(corners.reshape(-1, 4), 2)
        area = np.prod(high - low, axis=1)
        centres = low + high
        centres /= np.repeat(2 * sizes, lengths, axis=0)
        image_sizes[has_boxes] = sizes
        return centres.astype(np.float32), area.astype(np.float32), image_sizes
