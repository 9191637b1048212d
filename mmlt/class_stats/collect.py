"""From a data set to its class statistics. C classes, N images."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fractal_dimension import fractal_dimension
from .labels import ImageLabels, collect_labels
from .names import class_names
from .stats import ClassStats


def count_classes(labels: ImageLabels, classes: tuple | None) -> int:
    """How many classes there are; raises for a label beyond their names."""
    largest = int(labels.labels.max(initial=-1))
    num_classes = len(classes) if classes else largest + 1
    if largest >= num_classes:
        raise ValueError(
            f'dataset has the label {largest} but only {num_classes} '
            'classes; correct metainfo=dict(classes=...) or the annotations'
        )
    return num_classes


def collect_class_stats(dataset: Any) -> ClassStats:
    """Count the classes of a training set, without loading images.

    Repeat, ClassBalanced and MultiImageMix wrappers change how often an
    image is seen, not what there is: below them each image counts once.
    Concat, Subset, KFold and ``LongTailedDataset`` change what there is.

    Args:
        dataset: As in
            :func:`mmlt.class_stats.labels.collect_labels`. The number
            of classes is that of ``metainfo['classes']``; without it, the
            largest label + 1.

    Raises:
        ValueError: If a label lies beyond the classes of the data set.
    """
    labels = collect_labels(dataset, repeat=False)
    classes = class_names(dataset)
    num_classes = count_classes(labels, classes)
    _, present = labels.unique()
    centres = labels.centres
    return ClassStats(
        np.bincount(present, minlength=num_classes),
        np.bincount(labels.labels, minlength=num_classes),
        len(labels),
        classes,
        None
        if centres is None
        else fractal_dimension(labels.labels, centres, num_classes),
    )
