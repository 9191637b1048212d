"""COCO-MLT and VOC-MLT: long-tailed parts of COCO and Pascal VOC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from mmengine.fileio import exists
from mmpretrain.datasets import VOC

from mmlt.checks import check_path, check_switch
from mmlt.registry import DATASETS

from .id_lists import select_images
from .multi_label_from_instances import MultiLabelFromInstances


@DATASETS.register_module()
class COCOMLT(MultiLabelFromInstances):
    """COCO-MLT: the images of COCO that a list names.

    `Distribution-Balanced Loss <https://arxiv.org/abs/2007.09654>`_ trains on
    1,909 images of COCO 2017's training split and tests on its validation
    split. There, crowds are labels, and tiny boxes are none
    (``ignore_crowd=False``, ``drop_tiny=True``, as in mmlt's configs).

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
    There, ``difficult`` objects are labels (``ignore_difficult=False``, as in
    mmlt's configs).

    Args:
        data_root (str): Folder of one year: ``'data/VOCdevkit/VOC2012'``.
        ids (str | Sequence | None): As in :class:`COCOMLT`.
        ignore_difficult (bool): Whether a class of which an image holds only
            ``difficult`` objects is a negative label, as in
            :class:`mmpretrain.datasets.VOC`; False makes it a label.
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
        ignore_difficult: bool = True,
        **kwargs: Any,
    ) -> None:
        check_path('data_root', data_root)
        self.ids = ids
        self.ignore_difficult = check_switch(
            'ignore_difficult', ignore_difficult
        )
        super().__init__(data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """As in the base class, with ``img_id``, of the listed images."""
        if not exists(self.data_root):
            raise FileNotFoundError(f'data_root: no folder {self.data_root!r}')
        data_list = super().load_data_list()
        for info in data_list:
            info['img_id'] = PurePath(info['img_path']).stem
            # None in a split without annotations.
            if not self.ignore_difficult and info['gt_label'] is not None:
                labels = {*info['gt_label'], *info['gt_label_difficult']}
                info['gt_label'] = sorted(labels)
        return select_images(data_list, self.ids, self.data_root)
