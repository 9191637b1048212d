"""The draw of tools/dataset_converters/multi_label_lt.py."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from mmlt.class_stats.labels import ImageLabels


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('dataset_converters/multi_label_lt.py')


def image_labels(rows):
    offsets = np.cumsum([0] + [len(row) for row in rows])
    return ImageLabels(np.concatenate(rows).astype(np.int64), offsets)


@pytest.fixture(scope='module')
def full():
    """4,000 images: class 0 in most, and each class beside others."""
    rng = np.random.default_rng(0)
    chance = np.geomspace(0.5, 0.02, 20)
    return image_labels(
        [np.flatnonzero(rng.random(20) < chance) for _ in range(4000)]
    )


def count(labels, indices, num_classes=20):
    _, label = labels.take(indices).unique()
    return np.bincount(label, minlength=num_classes)


def test_counts_by_hand(tool):
    # x = 1, 1.5, 2: 64 / 1.5^6 = 5.6, 64 / 2^6 = 1
    assert tool.pareto_counts(64, 1, 3).tolist() == [64, 6, 1]
    # x = 1, 2.5, 4
    assert tool.pareto_counts(100, 25, 3, power=1).tolist() == [100, 40, 25]
    assert tool.pareto_counts(7, 3, 1).tolist() == [7]
    assert tool.pareto_counts(5, 5, 4).tolist() == [5] * 4
    # groups of VOC-MLT, by its largest and smallest class
    counts = tool.pareto_counts(775, 4, 20)
    assert (counts > 100).sum() == 6
    assert (counts < 20).sum() == 8


@pytest.mark.parametrize(
    ('args', 'words'),
    [
        ((5, 6, 3), r'1 <= min_count <= max_count, got 6 and 5'),
        ((5, 0, 3), r'got 0 and 5'),
        ((5, 1, 3, 0), r'power must be positive and finite, got 0'),
        ((5, 1, 3, np.inf), r'got inf'),
    ],
)
def test_bad_counts(tool, args, words):
    with pytest.raises(ValueError, match=words):
        tool.pareto_counts(*args)


@pytest.mark.parametrize(
    ('counts', 'expected'),
    [
        # Image 4 would bring class 2, which shall have none.
        ([0, 1, 0], [1]),
        ([0, 2, 0], [1, 4]),
        # Image 3 is needed all the same: class 0 has no other.
        ([9, 1, 0], [0, 1, 3]),
        ([9, 9, 9], [0, 1, 3, 4]),
    ],
)
def test_draws_by_hand(tool, counts, expected):
    labels = image_labels([[0], [1], [], [0, 2, 2], [1, 2, 2]])
    for seed in range(5):
        rng = np.random.default_rng(seed)
        drawn = tool.draw_images(labels, np.array(counts), rng)
        assert drawn.tolist() == expected


def test_sizes_and_order(tool, full):
    present = count(full, np.arange(len(full)))
    indices = tool.pareto_subset(full, 20, 775, 4)
    assert_array_equal(indices, np.unique(indices))
    drawn = count(full, indices)
    sizes = np.empty(20, dtype=int)
    sizes[np.argsort(-present, kind='stable')] = tool.pareto_counts(775, 4, 20)
    # never fewer, and not many more: frequent classes stand beside rare ones
    assert (drawn >= np.minimum(sizes, present)).all()
    assert drawn.argmax() == present.argmax()
    assert drawn.max() == 775
    assert drawn.sum() < 1.2 * sizes.sum()
    assert drawn[sizes < 10].max() < 20
    by_size = drawn[np.argsort(-sizes, kind='stable')]
    assert (by_size[:-4] > by_size[4:]).all()
    # co-occurrence is kept: most images have several labels
    assert drawn.sum() > 2 * len(indices)


def test_depends_on_the_seed_alone(tool, full):
    first = tool.pareto_subset(full, 20, 300, 3, seed=1)
    np.random.default_rng().random()
    assert_array_equal(first, tool.pareto_subset(full, 20, 300, 3, seed=1))
    other = tool.pareto_subset(full, 20, 300, 3, seed=2)
    assert len(np.setdiff1d(first, other)) > len(first) // 2


def test_random_order(tool, full):
    largest = set()
    for seed in range(6):
        indices = tool.pareto_subset(
            full, 20, 60, 3, order='random', seed=seed
        )
        largest.add(count(full, indices).argmax())
    assert len(largest) > 1
    with pytest.raises(ValueError, match=r"order must be .* got 'size'"):
        tool.pareto_subset(full, 20, 60, 3, order='size')


def test_few_images_and_none(tool):
    # class 1 has fewer than it shall, class 3 none, one image no label
    labels = image_labels([[0]] * 10 + [[1]] * 2 + [[2], []])
    indices = tool.pareto_subset(labels, 4, 8, 4)
    assert count(labels, indices, 4).tolist() == [8, 2, 1, 0]
    assert 13 not in indices
    with pytest.raises(ValueError, match=r'has the label 2, .* 2 entries'):
        tool.pareto_subset(labels, 2, 8, 4)
