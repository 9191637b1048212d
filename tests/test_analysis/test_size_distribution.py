import cv2
import numpy as np
import pytest

from mmlt.analysis.size_distribution import (
    draw_size_distribution,
    size_ranges,
)
from mmlt.class_stats.sizes import SizeStats


@pytest.mark.parametrize('bounds', [(1024, 9216), (500,)])
def test_figure(tmp_path, bounds):
    count = np.random.default_rng(0).integers(0, 50, (7, len(bounds) + 1))
    count[2] = 0
    stats = SizeStats(bounds, count, count.sum(axis=0), 300)
    draw_size_distribution(stats, tmp_path / 'x.png')
    assert cv2.imread(str(tmp_path / 'x.png')).std() > 30


def test_ranges():
    assert size_ranges((1024, 9216)) == ['< 32²', '32² to 96²', '≥ 96²']
    assert size_ranges((500,)) == ['< 22.36²', '≥ 22.36²']
