import numpy as np
import pytest
import torch

from mmlt.analysis.per_class_gain import compare_runs, draw_per_class_gain
from mmlt.class_stats import ClassStats

STATS = ClassStats(
    [20, 500, 3, 101, 7], num_images=600, classes=['a', 'b', 'c', 'd', 'e']
)
GAIN = np.array([1.0, -2.0, np.nan, 3.0, 4.5])


def test_bars_by_frequency_and_group(figures, tmp_path):
    path = tmp_path / 'gain.png'
    draw_per_class_gain(STATS, GAIN, path, title='new over old')
    assert path.stat().st_size > 5000
    (axes,) = figures[0].axes
    assert axes.get_title() == 'new over old'
    names = [label.get_text() for label in axes.get_xticklabels()]
    assert names == ['b', 'd', 'a', 'e', 'c']
    heights = [
        [bar.get_height() for bar in group] for group in axes.containers
    ]
    assert heights[:2] == [[-2, 3], [1]]
    np.testing.assert_equal(heights[2], [4.5, np.nan])
    left = [bar.get_x() for group in axes.containers for bar in group]
    np.testing.assert_allclose(np.array(left) + 0.4, range(5), atol=1e-9)
    colors = {tuple(g[0].get_facecolor()) for g in axes.containers}
    assert len(colors) == 3
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        'head (> 100 images): +0.5',
        'medium (20 to 100 images): +1.0',
        'tail (< 20 images): +4.5',
    ]


def test_groups_without_a_value_are_left_out(figures, tmp_path):
    gain = np.array([np.nan, -2, 1, 3, 4.5])
    draw_per_class_gain(STATS, gain, tmp_path / 'gain.png')
    (legend,) = figures[0].legends
    assert len(legend.get_texts()) == 2


def test_other_groups(figures, tmp_path):
    path = tmp_path / 'gain.png'
    draw_per_class_gain(STATS, GAIN, path, (10,), ('rare', 'common'))
    (legend,) = figures[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [
        'common (> 9 images): +0.7',
        'rare (< 10 images): +4.5',
    ]


def test_what_does_not_fit(tmp_path):
    path = tmp_path / 'gain.png'
    with pytest.raises(ValueError, match=r'gain has 2 entries.* 5 classes'):
        draw_per_class_gain(STATS, GAIN[:2], path)
    with pytest.raises(ValueError, match='group_names must hold 2 names'):
        draw_per_class_gain(STATS, GAIN, path, (10,))
    assert not path.exists()


def test_average_precision_of_two_runs():
    labels = torch.tensor([[1, 1, 0], [0, 1, -1], [-1, 0, 0]])
    good = [[1.0, 2.0, 0.0], [0.0, 1.0, 0.0], [9.0, 0.0, 0.0]]
    base, run = (
        dict(
            logits=torch.tensor(logits),
            labels=labels,
            sample_idx=torch.arange(3),
        )
        for logits in (torch.arange(3.0)[:, None].expand(3, 3).tolist(), good)
    )
    stats = ClassStats([7, 300, 50], num_images=400)
    # Class 0: rank 2 of 2; 1: ranks 2 and 3 of 3; 2 without positives.
    ap = compare_runs(base, run, stats)
    np.testing.assert_allclose(ap[0], [50, 100 * (1 / 2 + 2 / 3) / 2, np.nan])
    np.testing.assert_allclose(ap[1], [100, 100, np.nan])
    with pytest.raises(ValueError, match='base and run differ in sample_idx'):
        compare_runs(base, {**run, 'sample_idx': torch.ones(3)}, stats)
    with pytest.raises(ValueError, match='2 classes, but the logits have 3'):
        compare_runs(base, run, ClassStats.single_label([1, 2]))
