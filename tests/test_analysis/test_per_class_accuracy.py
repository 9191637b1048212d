import numpy as np
import pytest

from mmlt.analysis.per_class_accuracy import (
    class_rows,
    draw_per_class_accuracy,
)
from mmlt.class_stats import ClassStats

STATS = ClassStats.single_label([10, 1000, 100], ['ant', 'bee', 'cat'])


def test_classes_are_sorted_by_frequency(figures, tmp_path):
    path = tmp_path / 'figure.png'
    runs = {'one': np.array([1.0, 2.0, 3.0]), 'two': np.array([4, 5, np.nan])}
    draw_per_class_accuracy(STATS, runs, path)
    assert path.stat().st_size > 1000
    frequency, accuracy = figures[0].axes
    names = [label.get_text() for label in frequency.get_xticklabels()]
    assert names == ['bee', 'cat', 'ant']
    assert [bar.get_height() for bar in frequency.patches] == [1000, 100, 10]
    first, second = accuracy.lines
    assert first.get_ydata().tolist() == [2, 3, 1]
    np.testing.assert_equal(second.get_ydata(), [5, np.nan, 4])


def test_wrong_number_of_accuracies(tmp_path):
    with pytest.raises(ValueError, match=r"accuracies\['one'\] has 2"):
        draw_per_class_accuracy(STATS, {'one': np.zeros(2)}, tmp_path / 'x')


def test_rows_are_sorted_by_frequency():
    values = {'one': np.array([1.0, 2.0, np.nan]), 'two': np.arange(3) / 3}
    names = ['tail', 'head', 'medium']
    assert class_rows(STATS, STATS.classes, names, values) == [
        ['class', 'group', 'training images', 'one', 'two'],
        ['bee', 'head', 1000, '2.00', '0.33'],
        ['cat', 'medium', 100, 'nan', '0.67'],
        ['ant', 'tail', 10, '1.00', '0.00'],
    ]
