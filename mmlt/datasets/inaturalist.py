"""iNaturalist as its competitions published it. N images, C species."""

from __future__ import annotations

from collections import Counter

from mmengine.fileio import exists, get_file_backend, load
from mmpretrain.datasets import BaseDataset

from mmlt.registry import DATASETS


@DATASETS.register_module()
class INaturalist(BaseDataset):
    """iNaturalist 2017 and 2018, from the competitions' json files.

    The json of a split holds ``images`` (``id``, ``file_name``),
    ``annotations`` (``image_id``, ``category_id``) and ``categories``
    (``id``, ``name``), always all of them. Labels count the categories in
    the order of their ids, so training and validation agree, and the class
    names come from the file::

        data/inaturalist2018
        |- train2018.json
        |- val2018.json
        `- train_val2018/Plantae/7477/*.jpg

    Papers: `The iNaturalist Species Classification and Detection Dataset
    <https://arxiv.org/abs/1707.06642>`_.

    Args:
        ann_file (str): The json, relative to ``data_root``.
        **kwargs: Other arguments of :class:`mmpretrain.datasets.BaseDataset`.

    Raises:
        FileNotFoundError: If there is no ``ann_file``.
        ValueError: If it is damaged, or an image has not exactly one
            annotation.
    """

    def load_data_list(self) -> list[dict]:
        """Read the json: N dicts with ``img_path`` and ``gt_label``."""
        images, annotations, categories = self._read()
        category_ids = sorted(categories)
        label_of = {key: label for label, key in enumerate(category_ids)}
        names = tuple(str(categories[key]) for key in category_ids)
        given = self._metainfo.setdefault('classes', names)
        if len(given) != len(names):
            raise ValueError(
                f'classes has {len(given)} names and ann_file '
                f'{self.ann_file} {len(names)} categories; leave classes out '
                'to take the names from the file'
            )
        self._check(images, annotations, label_of)
        label_of_image = {
            image: label_of[category] for image, category in annotations
        }
        join = get_file_backend(self.img_prefix).join_path
        return [
            {
                'img_path': join(self.img_prefix, file_name),
                'gt_label': label_of_image[image],
            }
            for image, file_name in images
        ]

    def _read(self) -> tuple[list[tuple], list[tuple], dict]:
        """Images (id, file), annotations (image, category), names by id."""
        cure = 'unpack the archive of the competition again'
        if not exists(self.ann_file):
            raise FileNotFoundError(
                f'ann_file {self.ann_file} does not exist; {cure}, or correct '
                'data_root'
            )
        try:
            content = load(self.ann_file, file_format='json')
            return (
                [(row['id'], row['file_name']) for row in content['images']],
                [
                    (row['image_id'], row['category_id'])
                    for row in content['annotations']
                ],
                {row['id']: row['name'] for row in content['categories']},
            )
        except KeyError as error:
            raise ValueError(
                f'ann_file {self.ann_file} lacks the key {error}; it must be '
                'the json of a training or validation split (the test split '
                'has no public labels)'
            ) from error
        except (TypeError, ValueError) as error:
            raise ValueError(
                f'ann_file {self.ann_file} is damaged ({error}); {cure}'
            ) from error

    def _check(
        self, images: list[tuple], annotations: list[tuple], label_of: dict
    ) -> None:
        """Every image has one annotation, and those point to what is."""
        annotated = Counter(image for image, _ in annotations)
        unknown = annotated.keys() - {image for image, _ in images}
        bare = [image for image, _ in images if image not in annotated]
        several = [image for image, count in annotated.items() if count > 1]
        stray = {category for _, category in annotations} - label_of.keys()
        for what, ids in (
            (
                'annotations of images that it does not list: image ids',
                unknown,
            ),
            ('images without an annotation: image ids', bare),
            ('images with several annotations: image ids', several),
            ('annotations of categories that it does not list: ids', stray),
        ):
            if ids:
                raise ValueError(
                    f'ann_file {self.ann_file} has {len(ids)} {what} '
                    f'{sorted(ids)[:3]}...; use the json as published, '
                    'or correct it'
                )
