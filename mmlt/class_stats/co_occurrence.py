"""Which classes come together in an image. C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import coo_array

from .collect import collect_class_stats
from .labels import collect_labels


def co_occurrence(dataset: Any) -> np.ndarray:
    """Count the images that hold two classes, without loading images.

    Args:
        dataset: As in :func:`mmlt.class_stats.collect_class_stats`, which
            also says what counts.

    Returns:
        np.ndarray: (C, C) int64, symmetric; on the diagonal, the images that
        hold the class.

    Raises:
        ValueError: If a label lies beyond the classes of the data set.
    """
    num_classes = collect_class_stats(dataset).num_classes
    labels = collect_labels(dataset, repeat=False)
    images, classes = labels.unique()
    holds = coo_array(
        (np.ones_like(images), (images, classes)),
        shape=(len(labels), num_classes),
    ).tocsr()
    return (holds.T @ holds).toarray()
