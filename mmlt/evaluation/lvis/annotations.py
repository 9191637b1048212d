"""Annotation files of LVIS, checked. K categories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import hotcoco
import numpy as np

GROUPS = ('r', 'c', 'f')


class Annotations(NamedTuple):
    """What an annotation file holds.

    hotcoco reads the ids of detections as float64, which is not exact above
    2^53: it gets numbers instead, the positions in the sorted ids.

    Args:
        imgs (dict[int, int]): Id to number of each image.
        cats (dict[int, dict]): Id to content of K categories, in file order.
        content (dict): All of it, with numbers as ids, sorted by image.
    """

    imgs: dict[int, int]
    cats: dict[int, dict]
    content: dict

    def in_parts(self, size: int) -> Iterator[tuple[list[dict], list[dict]]]:
        """Images, ``size`` at a time, and their annotations."""
        images, entries = self.content['images'], self.content['annotations']
        number = [entry['image_id'] for entry in entries]
        for first in range(0, len(images), size):
            start, end = np.searchsorted(number, [first, first + size])
            yield images[first : first + size], entries[start:end]


def load_annotations(path: str | Path) -> Annotations:
    """Read an annotation file of LVIS v0.5, v1 or the same format.

    Args:
        path (str | Path): The json file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged or not in the LVIS format.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'ann_file: no file {str(path)!r}')
    name = f'ann_file: {str(path)!r}'
    try:
        content = hotcoco.COCO(str(path)).dataset
    except (ValueError, KeyError) as error:
        raise ValueError(
            f'{name} is damaged, or not in the LVIS format: '
            f'{type(error).__name__}: {error}; download or write it again'
        ) from error
    images, cats, annotations = (
        _by_id(name, what, content[what])
        for what in ('images', 'categories', 'annotations')
    )
    _check_fields(name, images, cats)
    _check_categories(name, cats)
    _check_annotations(name, annotations, images, cats)
    imgs, numbers = _numbers(images), _numbers(cats)
    return Annotations(imgs, cats, _numbered(content, imgs, numbers))


def _by_id(name: str, what: str, entries: list[dict]) -> dict[int, dict]:
    if not entries:
        raise ValueError(
            f'{name} has no {what}; is it the annotation file of a labelled '
            'LVIS split?'
        )
    result = {entry['id']: entry for entry in entries}
    if len(result) < len(entries):
        ids = Counter(entry['id'] for entry in entries)
        index, times = ids.most_common(1)[0]
        raise ValueError(
            f'{name}: {times} of {len(entries)} {what} have the id {index}; '
            'give each its own'
        )
    if max(result) > np.iinfo(np.int64).max:
        raise ValueError(
            f'{name}: {what} have the id {max(result)}; ids must be below 2^63'
        )
    return result


def _check_fields(
    name: str, images: dict[int, dict], cats: dict[int, dict]
) -> None:
    """Raise for COCO annotations, which lack what the protocol needs."""
    # hotcoco drops empty lists: that some images have none means nothing.
    if any('neg_category_ids' in image for image in images.values()):
        return
    lacking = "the images lack 'neg_category_ids', known to be absent"
    if not any('frequency' in entry for entry in cats.values()):
        lacking += ", and the categories 'frequency', r, c or f"
    raise ValueError(
        f'{name} lacks what the LVIS protocol needs: {lacking}. Evaluate COCO '
        'annotations with mmlt.ShotCocoMetric, which groups classes by their '
        "training counts, or with mmdet's CocoMetric"
    )


def _check_categories(name: str, cats: dict[int, dict]) -> None:
    _check_keys(name, 'categories', cats, ('name', 'frequency'))
    for index, category in cats.items():
        if category['frequency'] not in GROUPS:
            raise ValueError(
                f'{name}: category {index} has the frequency '
                f'{category["frequency"]!r}, expected one of {GROUPS}'
            )


def _check_annotations(
    name: str,
    annotations: dict[int, dict],
    images: dict[int, dict],
    cats: dict[int, dict],
) -> None:
    _check_keys(name, 'annotations', annotations, ('bbox', 'area'))
    for key, known in (('image_id', images), ('category_id', cats)):
        for index, entry in annotations.items():
            if entry[key] not in known:
                raise ValueError(
                    f'{name}: annotation {index} has the {key} {entry[key]}, '
                    'which the file does not list'
                )


def _check_keys(
    name: str, what: str, entries: dict[int, dict], keys: Iterable[str]
) -> None:
    for key in keys:
        lacking = [i for i, entry in entries.items() if key not in entry]
        if lacking:
            raise ValueError(
                f'{name}: {len(lacking)} of {len(entries)} {what} lack '
                f'{key!r}, first id {lacking[0]}'
            )


def _numbers(ids: Iterable[int]) -> dict[int, int]:
    return {index: number for number, index in enumerate(sorted(ids))}


def _numbered(
    content: dict, imgs: dict[int, int], cats: dict[int, int]
) -> dict:
    """The content, which changes, with numbers as ids."""
    for image in content['images']:
        image['id'] = imgs[image['id']]
        for key in ('neg_category_ids', 'not_exhaustive_category_ids'):
            image[key] = [cats[i] for i in image.get(key, ()) if i in cats]
    content['categories'] = [
        {**entry, 'id': cats[entry['id']]} for entry in content['categories']
    ]
    for entry in content['annotations']:
        entry['image_id'] = imgs[entry['image_id']]
        entry['category_id'] = cats[entry['category_id']]
    # As in lvis-api, what has no area does not count.
    annotations = [e for e in content['annotations'] if e['area'] > 0]
    return dict(
        images=sorted(content['images'], key=itemgetter('id')),
        annotations=sorted(annotations, key=itemgetter('image_id')),
        categories=content['categories'],
    )
