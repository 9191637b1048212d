"""Files of features of RoIs. N images, V views, M RoIs in all, D channels.

An ``.npz`` file holds, row after row, the RoIs of all views of all images: in
training, those of a view are the true boxes and then the proposals.

- ``boxes`` (M, 4), ``features`` (M, D), ``labels`` (M,): -1 for proposals.
- ``start`` (N, V + 1): the rows ``start[n, v] : start[n, v + 1]`` are those of
  a view; ``img_id`` (N,), ``img_shape`` (N, 2) and ``scale_factor`` (N, 2).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

KEYS = (
    'boxes', 'features', 'labels', 'start', 'img_id', 'img_shape',
    'scale_factor',
)  # fmt: skip
HOW_TO_WRITE = '`python tools/dataset_converters/roi_features.py` writes it'


def save_roi_features(
    path: str | Path, images: Mapping[int, Sequence[dict]]
) -> None:
    """Write a file, all of it or nothing.

    Args:
        path (str | Path): Of the file.
        images (Mapping[int, Sequence[dict]]): The V views of each image, by
            its id, as :func:`~mmlt.engine.roi_features.extract_roi_features`
            has them.
    """
    views = [view for each in images.values() for view in each]
    content = {
        key: np.concatenate([view[key] for view in views])
        for key in ('boxes', 'features', 'labels')
    }
    ends = np.cumsum([len(view['boxes']) for view in views])
    ends = ends.reshape(len(images), -1)
    first = np.append(0, ends[:-1, -1])[:, None]
    for key in ('img_shape', 'scale_factor'):
        content[key] = np.array([each[0][key] for each in images.values()])
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f'{path.name}.part')
    with part.open('wb') as file:
        np.savez(
            file,
            img_id=np.array([*images]),
            start=np.hstack([first, ends]),
            **content,
        )
    os.replace(part, path)


class RoIFeatureFile:
    """The RoIs of a file, by image and view.

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
                self.content = {key: content[key] for key in KEYS}
        except (KeyError, OSError, ValueError, BadZipFile) as error:
            raise ValueError(
                f'file: {path} is no file of features of RoIs ({error}); '
                f'{HOW_TO_WRITE}'
            ) from error
        ids = self.content['img_id'].tolist()
        self.row = {img_id: row for row, img_id in enumerate(ids)}
        self.num_views = self.content['start'].shape[1] - 1

    def of(self, img_id: int, view: int) -> dict[str, np.ndarray]:
        """Boxes (R, 4), features (R, D), labels (R,), shape and scale (2,).

        Raises:
            ValueError: If the image is not in the file.
        """
        row = self.row.get(img_id)
        if row is None:
            raise ValueError(
                f'file: {self.path} has no RoIs of the image {img_id}; they '
                'are those of another split or data set'
            )
        start, end = self.content['start'][row, view : view + 2]
        of_rois, of_images = KEYS[:3], KEYS[5:]
        return {key: self.content[key][start:end] for key in of_rois} | {
            key: self.content[key][row] for key in of_images
        }
