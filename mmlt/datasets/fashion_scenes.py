"""Scenes of coloured garments: long-tailed detection without a download."""

from typing import ClassVar

from mmdet.datasets import LVISV1Dataset

from mmlt.registry import DATASETS

from .categories import FASHION_SCENES_CATEGORIES


@DATASETS.register_module()
class FashionScenes(LVISV1Dataset):
    """MMDetection's LVIS v1 with the categories of Fashion-Scenes.

    ``tools/dataset_converters/fashion_scenes.py`` makes it.
    """

    METAINFO: ClassVar = {
        'classes': FASHION_SCENES_CATEGORIES,
        'palette': None,
    }
