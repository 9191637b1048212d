"""RoIs of an image and their features, computed beforehand."""

from __future__ import annotations

import numpy as np
from mmcv.transforms import BaseTransform

from mmlt.checks import check_path
from mmlt.datasets.roi_features import RoIFeatureFile
from mmlt.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadRoIFeatures(BaseTransform):
    """Load what a box head sees of an image, in the place of the image.

    Of several views of an image, such as it and its mirror image, each time
    one is drawn. The model takes ``backbone=dict(type='mmlt.ImageFeatures',
    in_channels=D)`` and ``roi_head=dict(type='mmlt.RoIFeatureHead', ...)``.

    Required key: ``img_id``. Added keys: ``img``, (R, D) float32, rows of the
    G true boxes and of the proposals; ``gt_bboxes`` (G, 4),
    ``gt_bboxes_labels`` and ``gt_ignore_flags`` (G,), ``proposals``
    (R - G, 4), ``proposals_scores`` (R - G,), all 0, ``img_shape``,
    ``ori_shape`` and ``scale_factor``.

    Args:
        file (str): What ``tools/dataset_converters/roi_features.py`` wrote.

    Raises:
        FileNotFoundError: If there is no ``file``.
        ValueError: If it holds something else, or not the image in question.

    Example:
        >>> pipeline = [
        ...     dict(type='mmlt.LoadRoIFeatures', file='roi_features.npz'),
        ...     dict(type='PackDetInputs'),
        ... ]
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self.content = RoIFeatureFile(check_path('file', file))

    def transform(self, results: dict) -> dict:
        """Draw a view and look its RoIs up."""
        # Of the generator that each worker seeds.
        view = np.random.randint(self.content.num_views)  # noqa: NPY002
        rois = self.content.of(results['img_id'], view)
        is_true = rois['labels'] >= 0
        return {
            **results,
            'img': rois['features'].astype(np.float32),
            'gt_bboxes': rois['boxes'][is_true],
            'gt_bboxes_labels': rois['labels'][is_true],
            'gt_ignore_flags': np.zeros(is_true.sum(), bool),
            'proposals': rois['boxes'][~is_true],
            'proposals_scores': np.zeros((~is_true).sum(), np.float32),
            'img_shape': tuple(rois['img_shape'].tolist()),
            'ori_shape': (results['height'], results['width']),
            'scale_factor': tuple(rois['scale_factor'].tolist()),
        }
