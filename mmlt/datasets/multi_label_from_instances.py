"""Image-level labels from detection annotations. N images, C classes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from mmengine.fileio import exists, get_file_backend, load
from mmpretrain.datasets import MultiLabelDataset

from mmlt.checks import check_path, check_switch
from mmlt.registry import DATASETS


@DATASETS.register_module()
class MultiLabelFromInstances(MultiLabelDataset):
    """Multi-label data from the json of a COCO or LVIS style data set.

    An image has the classes of its instances, each once. Labels count the
    categories of the file in the order of their ids, unless class names are
    given: then they count these, and other categories are left out.

    Images are at ``file_name``, below ``data_prefix``. LVIS v1 has a
    ``coco_url`` instead, whose path (``train2017/000000000009.jpg``) is
    taken; from names of LVIS v0.5 (``COCO_train2014_000000000009.jpg``), the
    number is taken, as in COCO 2017. Annotations marked ``ignore`` do not
    count.

    LVIS does not look for every class in every image: one that is neither
    annotated nor among the image's ``neg_category_ids`` is not known to be
    absent. By default it is a negative label all the same. With
    ``unknown='ignore'``, each image has a ``gt_score`` (C,) with 1 for
    present, 0 for absent and -1 for not known, which MMPretrain hands to the
    head; the multi-label losses and metrics of mmlt leave -1 out. Class
    statistics are not touched: ``num_images`` is N, also for a class of
    which most images are not known.

    Args:
        ann_file (str): The json, relative to ``data_root``.
        metainfo (dict | None): With ``classes``, the names to use. Defaults
            to all of the file.
        keep_empty (bool): Whether to keep images without a label.
        ignore_crowd (bool): Whether annotations with ``iscrowd`` do not
            count.
        drop_tiny (bool): Whether boxes narrower or lower than one pixel, or
            without area, do not count, as in the training of a detector.
        unknown (str): ``'negative'`` or ``'ignore'``, see above.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If there is no ``ann_file``.
        ValueError: If it is damaged or inconsistent, does not hold a class,
            or lacks what ``unknown='ignore'`` needs.

    Example:
        >>> train_dataloader = dict(
        ...     dataset=dict(
        ...         type='mmlt.MultiLabelFromInstances',
        ...         data_root='data/coco',
        ...         ann_file='annotations/instances_train2017.json',
        ...         data_prefix='train2017'))
    """

    def __init__(
        self,
        ann_file: str,
        metainfo: dict | None = None,
        keep_empty: bool = True,
        ignore_crowd: bool = True,
        drop_tiny: bool = False,
        unknown: str = 'negative',
        **kwargs: Any,
    ) -> None:
        if unknown not in ('negative', 'ignore'):
            raise ValueError(
                f"unknown must be 'negative' or 'ignore', got {unknown!r}"
            )
        check_path('ann_file', ann_file)
        self.keep_empty = check_switch('keep_empty', keep_empty)
        self.ignore_crowd = check_switch('ignore_crowd', ignore_crowd)
        self.drop_tiny = check_switch('drop_tiny', drop_tiny)
        self.unknown = unknown
        super().__init__(ann_file=ann_file, metainfo=metainfo, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the json.

        Returns:
            list[dict]: N dicts with ``img_path``, ``img_id`` and
            ``gt_label``, a sorted list; with ``unknown='ignore'`` also
            ``gt_score``, (C,) int8.
        """
        images, annotations, categories = self._read()
        label_of = self._label_of(categories)
        labels_of_image = defaultdict(set)
        for row in annotations:
            if row['category_id'] in label_of:
                label = label_of[row['category_id']]
                labels_of_image[row['image_id']].add(label)
        join = get_file_backend(self.img_prefix).join_path
        data_list = []
        for row in images:
            labels = sorted(labels_of_image[row['id']])
            if not labels and not self.keep_empty:
                continue
            info = {
                'img_path': join(self.img_prefix, _path_of(row)),
                'img_id': row['id'],
                'gt_label': labels,
            }
            if self.unknown == 'ignore':
                negatives = row['neg_category_ids']
                absent = [label_of[k] for k in negatives if k in label_of]
                score = np.full(len(self.CLASSES), -1, dtype=np.int8)
                score[absent] = 0
                score[labels] = 1
                info['gt_score'] = score
            data_list.append(info)
        return data_list

    def _counts(self, row: dict) -> bool:
        """Whether an annotation makes its class a label of the image."""
        crowd = self.ignore_crowd and row.get('iscrowd', 0)
        # Without a box there is nothing to be small.
        sides = row.get('bbox', (0, 0, 1, 1))[2:]
        tiny = self.drop_tiny and (min(sides) < 1 or row.get('area', 1) <= 0)
        return not (crowd or tiny or row.get('ignore', 0))

    def _label_of(self, categories: dict) -> dict:
        """Label of each category id; sets the class names."""
        if self.CLASSES is None:
            ids = sorted(categories)
            names = tuple(str(categories[key]) for key in ids)
            self._metainfo['classes'] = names
            return {key: label for label, key in enumerate(ids)}
        missing = set(self.CLASSES) - set(categories.values())
        if missing:
            raise ValueError(
                f'classes: ann_file {self.ann_file} has no category '
                f'{sorted(missing)[:3]} ({len(missing)} such names); it has '
                f'{sorted(categories.values())[:5]}...'
            )
        return {
            key: self.class_to_idx[name]
            for key, name in categories.items()
            if name in self.class_to_idx
        }

    def _read(self) -> tuple[list[dict], list[dict], dict]:
        """Images, what counts of them, and names of categories by id."""
        where = f'ann_file {self.ann_file}'
        if not exists(self.ann_file):
            raise FileNotFoundError(
                f'{where} does not exist; correct data_root or ann_file'
            )
        try:
            content = load(self.ann_file, file_format='json')
        except ValueError as error:
            raise ValueError(
                f'{where} is damaged ({error}); unpack it again'
            ) from error
        try:
            images, annotations = content['images'], content['annotations']
            categories = {
                row['id']: row['name'] for row in content['categories']
            }
            files = {row['id']: _path_of(row) for row in images}
            annotated = {row['image_id'] for row in annotations}
            used = {row['category_id'] for row in annotations}
            if self.unknown == 'ignore':
                used.update(*(row['neg_category_ids'] for row in images))
            counted = [row for row in annotations if self._counts(row)]
        except KeyError as error:
            cure = (
                "only LVIS has it: use unknown='negative'"
                if error.args == ('neg_category_ids',)
                else 'it must be the json of a training or validation split '
                'in the format of COCO or LVIS'
            )
            raise ValueError(
                f'{where} lacks the key {error}; {cure}'
            ) from None
        except TypeError as error:
            raise ValueError(
                f'{where} is not in the format of COCO or LVIS ({error}); '
                'use the json as published'
            ) from error
        for what, ids in (
            ('images', annotated - files.keys()),
            ('categories', used - categories.keys()),
        ):
            if ids:
                raise ValueError(
                    f'{where} annotates {len(ids)} {what} that it does not '
                    f'list: ids {sorted(ids)[:3]}...; use the json as '
                    'published, or correct it'
                )
        return images, counted, categories


def _path_of(image: dict) -> str:
    """Path of an image below ``data_prefix``."""
    if 'file_name' not in image:
        return urlsplit(image['coco_url']).path.lstrip('/')
    name = image['file_name']
    # COCO 2014 has such names, too, and files of these names.
    if 'neg_category_ids' in image and name.startswith('COCO_'):
        return name.rpartition('_')[2]
    return name
