import numpy as np
import pytest
from mmengine.dataset import BaseDataset

from mmlt.analysis.sampling_probability import (
    COLUMNS,
    draw_sampling_probability,
    probability_rows,
    sampling_probability,
)
from mmlt.class_stats import collect_class_stats

LABELS = [[0], [0, 1], [0, 1, 3], [3], [0], []]


class MultiLabel(BaseDataset):
    def load_data_list(self):
        return [{'gt_label': label} for label in LABELS]


def test_class_aware_by_hand():
    # Classes 0, 1, 3 with n = 4, 2, 2 are drawn with p = 1/3 each.
    result = sampling_probability(MultiLabel())
    image = np.array([1 / 4, 3 / 4, 5 / 4, 1 / 2, 1 / 4, 0]) / 3
    np.testing.assert_allclose(result.image, image)
    np.testing.assert_allclose(result.expected, [1 / 3, 1 / 3, 0, 1 / 3])
    real = np.array([2.5, 2, 0, 1.75]) / 3
    np.testing.assert_allclose(result.real, real)
    np.testing.assert_allclose(result.uniform, np.array([4, 2, 0, 2]) / 6)


def test_given_class_probability():
    result = sampling_probability(MultiLabel(), [0.5, 0.5, 0, 0])
    np.testing.assert_allclose(
        result.image, [1 / 8, 3 / 8, 3 / 8, 0, 1 / 8, 0]
    )
    assert result.image.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ('probability', 'match'),
    [
        ([0.5, 0.5], r'shape \(2,\), but there are 4 classes'),
        ([0.5, 0.5, 0.5, 0], 'sum to 1, got a sum of 1.5'),
        ([1.5, -0.5, 0, 0], 'a minimum of -0.5'),
        ([0.5, 0, 0.5, 0], r'class_probability\[2\] is 0.5'),
    ],
)
def test_bad_class_probability(probability, match):
    with pytest.raises(ValueError, match=match):
        sampling_probability(MultiLabel(), probability)


def test_figure(tmp_path):
    path = tmp_path / 'figure.png'
    draw_sampling_probability(sampling_probability(MultiLabel()), path)
    assert path.stat().st_size > 5000


def test_rows_by_falling_frequency():
    dataset = MultiLabel()
    probability = sampling_probability(dataset)
    rows = probability_rows(probability, collect_class_stats(dataset))
    # Nothing is known of class 2, without images.
    assert [row[:2] for row in rows] == [('0', 4), ('1', 2), ('3', 2)]
    assert len(COLUMNS) == len(rows[0])
    np.testing.assert_allclose(rows[0][2:], [4 / 6, 1 / 3, 2.5 / 3])
