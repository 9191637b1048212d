"""COCO-MLT and VOC-MLT: long-tailed parts of COCO and Pascal VOC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from mmengine.fileio import exists
from mmpretrain.datasets import VOC

from mmlt.checks import check_path
from mmlt.registry import DATASETS

from .id_lists import select_images
from .multi_label_from_instances import MultiLabelFromInstances


@DATASETS.register_module()
class COCOMLT(MultiLabelFromInstances):
    """COCO-MLT: the images of COCO that a list names.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ trains on
    1,909 images of COCO 2017's training split and tests on its validation
    split. Crowds are no labels.

    Args:
        ids (str | Sequence | None): The images to use: a list of ids or a
            file (``.txt``, ``.json``, ``.pkl``), relative to ``data_root``,
            such as the list of the paper's authors or one that
            ``tools/dataset_converters/multi_label_lt.py`` wrote. See
            :func:`mmlt.datasets.id_lists.read_ids`. None uses all.
        **kwargs: As in
            :class:`mmlt.datasets.multi_label_from_instances.MultiLabelFromInstances`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or names an image that is not in
            ``ann_file``.
    """

    def __init__(
        self, ids: str | Sequence | None = None, **kwargs: Any
    ) -> None:
        self.ids = ids
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """As in the base class, of the listed images."""
        data_list = super().load_data_list()
        return select_images(data_list, self.ids, self.data_root)


@DATASETS.register_module()
class VOCMLT(VOC):
    """VOC-MLT: the images of Pascal VOC that a list names.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ trains on
    1,142 images of VOC 2012's ``trainval`` and tests on VOC 2007's ``test``.
    As in :class:`mmpretrain.datasets.VOC`, a class of which an image holds
    only ``difficult`` objects is a negative label.

    Args:
        data_root (str): Folder of one year: ``'data/VOCdevkit/VOC2012'``.
        ids (str | Sequence | None): As in :class:`COCOMLT`.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.VOC`, such as
            ``split``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read, or names an image that is not in
            the split.
    """

    def __init__(
        self,
        data_root: str,
        ids: str | Sequence | None = None,
        **kwargs: Any,
    ) -> None:
        if not exists(check_path('data_root', data_root)):
            raise FileNotFoundError(f'data_root: no folder {data_root!r}')
        self.ids = ids
        super().__init__(data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """As in the base class, with ``img_id``, of the listed images."""
        data_list = super().load_data_list()
        for info in data_list:
            info['img_id'] = PurePath(info['img_path']).stem
        return select_images(data_list, self.ids, self.data_root)
