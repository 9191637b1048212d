import numpy as np
import pytest
from matplotlib.figure import Figure

from mmlt.analysis.per_class_accuracy import draw_per_class_accuracy
from mmlt.class_stats import ClassStats

STATS = ClassStats.single_label([10, 1000, 100], ['ant', 'bee', 'cat'])


def test_classes_are_sorted_by_frequency(tmp_path, monkeypatch):
    figures = []
    save = Figure.savefig

    def keep(figure, *args, **kwargs):
        figures.append(figure)
        save(figure, *args, **kwargs)

    monkeypatch.setattr(Figure, 'savefig', keep)
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
