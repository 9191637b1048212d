import numpy as np
import pytest
from mmengine.dataset import BaseDataset, RepeatDataset
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linprog

from mmlt.analysis.co_occurrence import (
    analyse_co_occurrence,
    co_occurrence_rows,
    draw_co_occurrence,
    least_ratios,
    strongest_links,
)

# "eel" has no image, one image has no label, one says a label twice.
NAMES = ('ant', 'bee', 'cat', 'dog', 'eel')
ROWS = [[0], [0, 1, 1], [0, 1, 3], [3], [0, 2], []]


class Named(BaseDataset):
    METAINFO = {'classes': NAMES}  # noqa: RUF012

    def __init__(self, rows=ROWS):
        self.rows = rows
        super().__init__()

    def load_data_list(self):
        return [{'gt_label': row} for row in self.rows]


def test_by_hand():
    result = analyse_co_occurrence(Named())
    assert_array_equal(result.count, [4, 2, 1, 2, 0])
    assert_allclose(
        result.probability[:4, :4],
        [
            [1, 1 / 2, 1 / 4, 1 / 4],
            [1, 1, 0, 1 / 2],
            [1, 0, 1, 0],
            [1 / 2, 1 / 2, 0, 1],
        ],
    )
    assert np.isnan(result.probability[4]).all()
    assert_array_equal(result.cardinality, [1, 2, 2, 1])
    assert result.mean_cardinality == 9 / 6
    assert_allclose(result.alone[:4], [1 / 4, 0, 0, 1 / 2])
    assert_allclose(result.companions[:4], [1, 1.5, 1, 1])
    # Each of 4 classes is drawn alike; bee, cat and half of dog bring ant.
    assert_allclose(result.ratio[:4], [3.5, 2, 1.25, 1.75])
    # Bees and cats always bring an ant, and never come together.
    assert_allclose(result.least[:4], [2, 1, 1, 1])
    assert np.isnan(result.least[4])


def test_repetitions_change_nothing():
    once = analyse_co_occurrence(Named())
    thrice = analyse_co_occurrence(RepeatDataset(Named(), 3))
    assert_array_equal(once.cardinality, thrice.cardinality)
    assert_allclose(once.ratio, thrice.ratio)


def literal_least(rows, k):
    """Over all images and classes, nothing left out."""
    present = sorted({label for row in rows for label in row})
    holds = np.array([[j in row for row in rows] for j in present], float)
    cost = np.array([k in row for row in rows], float)
    bound = linprog(cost, -holds, -np.ones(len(present)))
    return bound.fun


@pytest.mark.parametrize('seed', range(8))
def test_least_ratio_equals_the_whole_problem(seed):
    """Images with class 0 and others, so that it is hard to avoid."""
    rng = np.random.default_rng(seed)
    rows = [
        sorted({0, *rng.integers(1, 5, rng.integers(1, 4)).tolist()})
        for _ in range(5)
    ]
    rows.append([int(rng.integers(1, 5))])
    least = least_ratios(Named(rows))
    for k in {label for row in rows for label in row}:
        assert least[k] == pytest.approx(literal_least(rows, k)), (rows, k)


def test_links_and_rows():
    result = analyse_co_occurrence(Named())
    links = strongest_links(result, 3)
    assert links[0] == ('bee', 'ant', 1.0, 2)
    assert links[1] == ('cat', 'ant', 1.0, 1)
    assert links[2][2] == 0.5
    assert strongest_links(result, 0) == []
    rows = co_occurrence_rows(result)
    assert [row[:2] for row in rows] == [
        ('ant', 4), ('bee', 2), ('dog', 2), ('cat', 1)
    ]  # fmt: skip
    assert rows[0][2:] == (0.25, 1.0, 3.5, 2.0)


def test_single_labels_are_balanced():
    result = analyse_co_occurrence(Named([[0], [1], [0], [2]]))
    assert_allclose(result.ratio[:3], 1)
    assert_allclose(result.least[:3], 1)
    assert strongest_links(result, 9) == []


def test_no_label():
    with pytest.raises(ValueError, match='zero for all 5 classes'):
        analyse_co_occurrence(Named([[], []]))


def test_figure(tmp_path):
    draw_co_occurrence(analyse_co_occurrence(Named()), tmp_path / 'x.png')
    assert (tmp_path / 'x.png').stat().st_size > 5000
