import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset
from numpy.testing import assert_array_equal
from torch.utils.data import Subset

from mmlt.class_stats import collect_class_stats
from mmlt.class_stats.co_occurrence import co_occurrence

# An image without a label, a label that is there twice; "eel" has no image.
ROWS = [[0, 1], [], [2], [1, 0, 0], [0, 2, 3]]
NAMES = ('ant', 'bee', 'cat', 'dog', 'eel')


class Labels(BaseDataset):
    METAINFO = {'classes': NAMES}  # noqa: RUF012

    def __init__(self, rows, **kwargs):
        self.rows = rows
        super().__init__(**kwargs)

    def load_data_list(self):
        return [{'gt_label': row} for row in self.rows]


def literal(rows):
    """One image, one pair after the other."""
    counts = np.zeros((5, 5), dtype=np.int64)
    for row in rows:
        for i in set(row):
            for j in set(row):
                counts[i, j] += 1
    return counts


def test_counts_images_with_both():
    counts = co_occurrence(Labels(ROWS))
    assert counts.dtype == np.int64
    assert_array_equal(counts, literal(ROWS))
    stats = collect_class_stats(Labels(ROWS))
    assert_array_equal(counts.diagonal(), stats.image_count)


def test_many_images():
    rng = np.random.default_rng(0)
    rows = [rng.integers(0, 5, rng.integers(0, 4)).tolist() for _ in range(99)]
    assert_array_equal(co_occurrence(Labels(rows)), literal(rows))


@pytest.mark.parametrize(
    ('wrap', 'rows'),
    [
        (lambda data: RepeatDataset(data, 3), ROWS),
        (
            lambda data: ConcatDataset([data, Labels([[4, 1]])]),
            [*ROWS, [4, 1]],
        ),
        (lambda data: Subset(data, [0, 4]), [ROWS[0], ROWS[4]]),
    ],
)
def test_through_wrappers(wrap, rows):
    assert_array_equal(co_occurrence(wrap(Labels(ROWS))), literal(rows))


def test_label_beyond_the_classes():
    with pytest.raises(ValueError, match='label 5 but only 5 classes'):
        co_occurrence(Labels([[0, 5]]))
