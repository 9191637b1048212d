import cv2
import numpy as np
import pytest

from mmlt.analysis.class_frequency import draw_class_frequency, group_ranges
from mmlt.class_stats import ClassStats

COUNTS = [500, 101, 100, 20, 19, 0]


@pytest.mark.parametrize(
    ('thresholds', 'ranges'),
    [
        ((20, 101), ['< 20', '20 to 100', '> 100']),
        ((10, 11, 50), ['< 10', '10', '11 to 49', '> 49']),
        ([1], ['< 1', '> 0']),
        ([], ['all']),
    ],
)
def test_group_ranges(thresholds, ranges):
    assert group_ranges(thresholds) == ranges


def test_curve(figures, tmp_path):
    path = tmp_path / 'curve.png'
    order = [3, 0, 5, 2, 4, 1]
    stats = ClassStats.single_label(np.array(COUNTS)[order])
    draw_class_frequency(stats, path, (20, 101))
    assert cv2.imread(str(path)).shape[1] > 500
    (axes,) = figures[0].axes
    assert axes.get_xscale() == axes.get_yscale() == 'log'
    points = [group.get_offsets().tolist() for group in axes.collections]
    assert points == [
        [[1, 500], [2, 101]],
        [[3, 100], [4, 20]],
        [[5, 19], [6, 0]],
    ]
    colors = {tuple(group.get_facecolor()[0]) for group in axes.collections}
    assert len(colors) == 3
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [
        '> 100 images: 2 classes',
        '20 to 100 images: 2 classes',
        '< 20 images: 2 classes',
        '(of these, without images: 1)',
    ]


def test_curve_of_instances(figures, tmp_path):
    stats = ClassStats([5, 4], [7, 300], num_images=8)
    draw_class_frequency(stats, tmp_path / 'curve.png', by='instance')
    (axes,) = figures[0].axes
    assert axes.get_ylabel() == 'training instances'
    points = [group.get_offsets().tolist() for group in axes.collections]
    assert points == [[[1, 300]], [[2, 7]]]
