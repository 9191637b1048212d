"""Features of images, computed beforehand. D channels."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmlt.checks import check_path
from mmlt.datasets.features import FeatureFile
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageFeature(BaseTransform):
    """Load a feature vector, or a map, in the place of the image.

    A classifier on frozen features then trains in seconds. The model takes
    ``backbone=dict(type='mmlt.ImageFeatures', in_channels=D)``; on maps, it
    is the rest of a network, as ``mmlt.EfficientNetLite0`` with ``begin``.

    Required key: ``img_path``, else ``sample_idx``. Added key: ``img``, (D,)
    or (H, W, D), float32.

    Args:
        file (str): An ``.npz`` file of ``names`` (N,), the paths of the
            images or the ends of them that tell them apart, each one once,
            and ``features`` (N, D) or (N, D, H, W).
            ``tools/dataset_converters/image_features.py`` writes it.

    Raises:
        FileNotFoundError: If there is no ``file``.
        ValueError: If it holds something else, or not the image in question.

    Example:
        >>> pipeline = [
        ...     dict(type='mmlt.LoadImageFeature', file='features.npz'),
        ...     dict(type='PackInputs'),
        ... ]
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.content = FeatureFile(check_path('file', file))

    def transform(self, results: dict) -> dict:
        """Look the image up by its path."""
        feature = self.content.of(results).astype(np.float32)
        if feature.ndim == 3:
            # Channels last, as images are, until they are packed.
            feature = feature.transpose(1, 2, 0)
        return {**results, 'img': feature}
