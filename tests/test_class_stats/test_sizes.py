"""Sizes of objects."""

import pytest

from mmlt.class_stats.sizes import check_bounds, size_names


@pytest.mark.parametrize(
    'bounds', [None, (), 1024, 'small', ['1', '2'], (4, 4), (4, 1), (0, 1)]
)
def test_bad_bounds(bounds):
    with pytest.raises((TypeError, ValueError), match='bounds'):
        check_bounds(bounds)


def test_names():
    assert check_bounds([1024, 9216.0]) == (1024, 9216.0)
    assert size_names(3) == ['small', 'medium', 'large']
    assert size_names(2) == ['small', 'large']
    assert size_names(4) == ['size0', 'size1', 'size2', 'size3']
