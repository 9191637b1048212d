"""All classes in one ranking. K categories."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import numpy as np

from .annotations import Annotations
from .protocol import Detections, positions


def pooled(
    annotations: Annotations, detections: Detections
) -> tuple[Annotations, Detections]:
    """The same, so that ``evaluate`` ranks all classes together.

    AP_pool of `Evaluating Large-Vocabulary Object Detectors
    <https://arxiv.org/abs/2102.01066>`_: boxes match objects of their class,
    but there is one precision curve, so that scores of different classes are
    compared. Each pair of an image and a category of which the image says
    something becomes an image of its own, of one category.

    Args:
        annotations (Annotations): From ``load_annotations``.
        detections (Detections): Of all images, with the caps applied:
            ``evaluate`` gets ``max_dets=None``.

    Raises:
        ValueError: If the annotations lack an image or a category.
    """
    content, number = annotations.content, len(annotations.cats)
    keys = [
        entry['image_id'] * number + entry['category_id']
        for entry in content['annotations']
    ]
    absent = _pairs(content['images'], 'neg_category_ids', number)
    loose = {*_pairs(content['images'], 'not_exhaustive_category_ids', number)}
    known = np.union1d(keys, [*absent]).astype(np.int64)
    images = [
        {
            'id': index,
            # Of a pair without objects this says that there are none.
            'neg_category_ids': [0],
            'not_exhaustive_category_ids': [0] if key in loose else [],
        }
        for index, key in enumerate(known.tolist())
    ]
    entries = [
        {**entry, 'image_id': index, 'category_id': 0}
        for entry, index in zip(
            content['annotations'],
            np.searchsorted(known, keys).tolist(),
            strict=True,
        )
    ]
    category = {'id': 0, 'name': 'all', 'frequency': 'f'}
    content = dict(
        images=images,
        annotations=sorted(entries, key=itemgetter('image_id')),
        categories=[category],
    )
    identity = {index: index for index in range(len(known))}
    return (
        Annotations(identity, {0: category}, content),
        _of_pairs(annotations, detections, known),
    )


def _pairs(images: list[dict], key: str, number: int) -> Iterator[int]:
    for image in images:
        for index in image[key]:
            yield image['id'] * number + index


def _of_pairs(
    annotations: Annotations, detections: Detections, known: np.ndarray
) -> Detections:
    """Detections of known pairs; of others nobody can say what they are."""
    image = positions('image', annotations.imgs, detections.image_id)
    category = positions('category', annotations.cats, detections.category_id)
    key = image * len(annotations.cats) + category
    return detections._replace(
        image_id=np.searchsorted(known, key),
        category_id=np.zeros_like(key),
    ).take(np.flatnonzero(np.isin(key, known)))
