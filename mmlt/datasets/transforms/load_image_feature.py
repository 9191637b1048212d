"""Features of images, computed beforehand. N images, D channels."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from mmcv.transforms import BaseTransform

from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadImageFeature(BaseTransform):
    """Load a feature vector in the place of the image.

    A classifier on frozen features then trains in seconds. The model takes
    ``backbone=dict(type='torch.nn.Identity')``.

    Required key: ``img_path``. Added key: ``img``, (D,) float32.

    Args:
        file (str): An ``.npz`` file of ``names`` (N,), the file names of the
            images without folders, each one once, and ``features`` (N, D).

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
        if not Path(file).is_file():
            raise FileNotFoundError(
                f'file: {file} is missing; for Fashion-Scenes `python tools/'
                'dataset_converters/fashion_scenes_features.py` writes it'
            )
        self.file = file
        try:
            with np.load(file) as content:
                names, features = content['names'], content['features']
        except (KeyError, OSError, ValueError, BadZipFile) as error:
            raise ValueError(
                f'file: {file} is no .npz file of names and features: {error}'
            ) from error
        self.row = {name: row for row, name in enumerate(names.tolist())}
        if features.ndim != 2 or len(self.row) != len(features):
            raise ValueError(
                f'file: {file} holds {len(self.row)} different names and '
                f'features of the shape {features.shape}; expected one row '
                '(D,) for each name'
            )
        self.features = features

    def transform(self, results: dict) -> dict:
        """Look the image up by the name of its file."""
        name = Path(results['img_path']).name
        if name not in self.row:
            raise ValueError(
                f'file: {self.file} has no features of {name}; they are '
                'those of another split or data set'
            )
        feature = self.features[self.row[name]]
        return {**results, 'img': feature.astype(np.float32)}
