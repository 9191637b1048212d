"""Files of features: one row for each image. N images, D channels.

An ``.npz`` file holds ``names`` (N,) and ``features`` (N, D), or maps
(N, D, H, W). A name is the
path of an image from the folder that holds all of them on, as in
``train/cat/1.jpg``; images that have no file, as those of CIFAR, go by their
position in the data set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from zipfile import BadZipFile

import numpy as np

HOW_TO_WRITE = (
    '`python tools/dataset_converters/image_features.py` writes it for any '
    'classifier, fashion_scenes_features.py beside it for Fashion-Scenes'
)


def image_names(annotations: Sequence[dict]) -> list[str]:
    """Names (N,) of images under which their features are kept.

    Args:
        annotations (Sequence[dict]): Of N images, with ``img_path``, else
            with ``sample_idx``.

    Raises:
        ValueError: If two images get one name.
    """
    paths = [PurePath(info['img_path']) for info in annotations
             if info.get('img_path') is not None]  # fmt: skip
    if len(paths) == len(annotations) and paths:
        folder = os.path.commonpath([path.parent for path in paths])
        # With the name of that folder, often that of the split.
        start = PurePath(folder).parent
        names = [path.relative_to(start).as_posix() for path in paths]
    else:
        names = [str(info['sample_idx']) for info in annotations]
    twice = [name for name, number in Counter(names).items() if number > 1]
    if twice:
        raise ValueError(
            f'the data set has the image {twice[0]} twice; take the '
            'repetition out of it, or images with files'
        )
    return names


def save_features(
    path: str | Path, names: Sequence[str], features: np.ndarray
) -> None:
    """Write a file, all of it or nothing."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    with part.open('wb') as file:
        np.savez(file, names=np.array(names), features=features)
    os.replace(part, path)


class FeatureFile:
    """The features of a file, by image.

    Args:
        path (str | Path): Of the file.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it holds something else.
    """

    def __init__(self, path: str | Path) -> None:
        if not Path(path).is_file():
            raise FileNotFoundError(f'file: {path} is missing; {HOW_TO_WRITE}')
        self.path = path
        try:
            with np.load(path) as content:
                names, features = content['names'], content['features']
        except (KeyError, OSError, ValueError, BadZipFile) as error:
            raise ValueError(
                f'file: {path} is no .npz file of names and features: {error}'
            ) from error
        self.row = {name: row for row, name in enumerate(names.tolist())}
        if features.ndim not in (2, 4) or len(self.row) != len(features):
            raise ValueError(
                f'file: {path} holds {len(self.row)} different names and '
                f'features of the shape {features.shape}; expected one row '
                '(D,), or map (D, H, W), for each name'
            )
        self.features = features

    def of(self, annotation: dict) -> np.ndarray:
        """Features (D,) of an image, or a map (D, H, W).

        Args:
            annotation (dict): With ``img_path`` or ``sample_idx``.

        Raises:
            ValueError: If they are not in the file.
        """
        image = annotation.get('img_path')
        if image is None:
            image = annotation['sample_idx']
        # The file may hold less of the path: the longest end counts.
        parts = str(image).replace(os.sep, '/').split('/')
        for start in range(len(parts)):
            row = self.row.get('/'.join(parts[start:]))
            if row is not None:
                return self.features[row]
        raise ValueError(
            f'file: {self.path} has no features of {image}; they are '
            'those of another split or data set'
        )
