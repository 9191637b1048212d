from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from mmlt.class_stats import ClassStats
from mmlt.datasets.samplers import RepeatFactorSampler
from mmlt.datasets.samplers.repeat_factor import (
    class_repeat_factors,
    round_systematically,
)
from mmlt.registry import DATA_SAMPLERS


def epoch_counts(sampler, epochs):
    """(epochs, N) how often each image comes."""
    counts = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        counts.append(
            np.bincount(list(sampler), minlength=len(sampler.dataset))
        )
    return np.array(counts)


@pytest.mark.parametrize(
    ('by', 'expected'),
    [
        # f = 8 / 10, 1 / 10, 0, 5 / 10
        ('image', [1, np.sqrt(5), 1, 1]),
        # f = 80 / 100, 2 / 100, 0, 18 / 100
        ('instance', [1, 5, 1, np.sqrt(0.5 / 0.18)]),
        # f = sqrt(0.8 * 0.8), sqrt(0.1 * 0.02), 0, sqrt(0.5 * 0.18) = 0.3
        ('both', [1, np.sqrt(0.5 / 0.002**0.5), 1, np.sqrt(0.5 / 0.3)]),
    ],
)
def test_class_factors_by_hand(by, expected):
    stats = ClassStats([8, 1, 0, 5], [80, 2, 0, 18], num_images=10)
    np.testing.assert_allclose(
        class_repeat_factors(stats, 0.5, by), expected, rtol=1e-12
    )


def test_image_factors_by_hand(multi_label_dataset):
    sampler = RepeatFactorSampler(multi_label_dataset, threshold=0.9, seed=0)
    # Classes 0, 1, 3 are in 4, 2, 2 of 6 images; the last image is empty.
    common, rare = np.sqrt(0.9 / (4 / 6)), np.sqrt(0.9 / (2 / 6))
    expected = [common, rare, rare, rare, common, 1]
    np.testing.assert_allclose(sampler.repeat_factor, expected, rtol=1e-12)
    assert len(sampler) == np.ceil(sum(expected)) == 9


def test_detection_counts_images_and_instances(detection_dataset):
    # Class 0: images 0 and 1, 4 of 6 boxes; class 2: 1 and 2, 2 of 6. The
    # crowd of class 1 does not count.
    by_image = RepeatFactorSampler(detection_dataset, 0.9, seed=0)
    both = np.sqrt(0.9 / 0.5)
    np.testing.assert_allclose(by_image.repeat_factor, [both, both, both, 1])
    by_instance = RepeatFactorSampler(detection_dataset, 0.9, 'instance')
    of_0, of_2 = np.sqrt(0.9 / (4 / 6)), np.sqrt(0.9 / (2 / 6))
    np.testing.assert_allclose(
        by_instance.repeat_factor, [of_0, of_2, of_2, 1]
    )


def test_empty_images_can_be_left_out(detection_dataset):
    sampler = RepeatFactorSampler(
        detection_dataset, 0.9, keep_empty=False, seed=0
    )
    assert not epoch_counts(sampler, 20)[:, 3].any()
    kept = RepeatFactorSampler(detection_dataset, 0.9, seed=0)
    # Once an epoch; where the sum is one short, perhaps again.
    assert set(epoch_counts(kept, 20)[:, 3]) <= {1, 2}


def test_rounding_keeps_mean_and_sum():
    rng = np.random.default_rng(0)
    factor = np.array([1.0, 1.3, 2.75, 0.0, 3.5, 1.05])
    counts = np.array([round_systematically(factor, rng) for _ in range(8000)])
    assert (counts >= np.floor(factor)).all()
    assert (counts <= np.ceil(factor)).all()
    assert set(counts.sum(1)) == {9, 10}  # of 9.6
    up = (counts - np.floor(factor)).sum(0)
    for observed, fraction in zip(up, factor % 1, strict=True):
        if fraction:
            expected = np.array([fraction, 1 - fraction]) * 8000
            assert chisquare([observed, 8000 - observed], expected).pvalue > (
                1e-3
            )
    # No image is rounded up just when another one is, or is not.
    correlation = np.abs(np.corrcoef(counts[:, [1, 2, 4, 5]].T))
    assert (correlation[~np.eye(4, dtype=bool)] < 0.6).all()


def test_epochs_have_one_length_and_the_right_mean(label_dataset):
    labels = np.repeat([0, 1, 2], [300, 30, 3])
    sampler = RepeatFactorSampler(label_dataset(labels), 0.05, seed=0)
    counts = epoch_counts(sampler, 400)
    assert len({row.sum() for row in counts}) == 1
    expected = np.sqrt(0.05 / (3 / 333))
    np.testing.assert_allclose(
        counts[:, labels == 2].mean(), expected, rtol=0.02
    )
    assert set(counts[:, labels == 2].ravel()) >= {2, 3}  # of 2.36
    # Up to the one image that fills the epoch
    np.testing.assert_allclose(counts[:, labels == 0].mean(), 1, atol=5e-3)
    assert (counts[0] != counts[1]).any()


def test_a_whole_sum_is_the_length(label_dataset):
    # 15 times 1 and 5 times sqrt(0.64 / 0.25) = 1.6, in floats above 23.
    sampler = RepeatFactorSampler(
        label_dataset(np.repeat([0, 1], [15, 5])), 0.64, seed=0
    )
    assert sampler.repeat_factor.sum() > 23
    assert len(sampler) == 23
    for epoch in range(20):
        sampler.set_epoch(epoch)
        assert max(Counter(sampler).values()) == 2
        assert sum(index < 15 for index in sampler) == 15


@pytest.mark.parametrize('world_size', [1, 2, 3])
def test_shards_make_up_the_stream(label_dataset, as_rank, world_size):
    labels = np.repeat([0, 1], [50, 3])
    single = list(RepeatFactorSampler(label_dataset(labels), 0.3, seed=4))
    shards = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        sampler = RepeatFactorSampler(label_dataset(labels), 0.3, seed=4)
        shards.append(list(sampler))
        assert len(shards[-1]) == len(sampler)
    union = np.stack(shards, 1).ravel().tolist()
    assert union[: len(single)] == single
    assert not Counter(union[len(single) :]) - Counter(single)


def test_threshold_below_all_classes_visits_each_image_once(label_dataset):
    sampler = DATA_SAMPLERS.build(
        dict(type='mmlt.RepeatFactorSampler'),
        default_args=dict(dataset=label_dataset([0, 1, 1, 2]), seed=0),
    )
    assert sorted(sampler) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ('kwargs', 'match'),
    [
        (dict(threshold=0), r'threshold must be in \(0, 1\]'),
        (dict(threshold=30), r'threshold must be in \(0, 1\]'),
        (dict(by='box'), "by must be one of .*got 'box'"),
    ],
)
def test_bad_arguments(label_dataset, kwargs, match):
    with pytest.raises(ValueError, match=match):
        RepeatFactorSampler(label_dataset([0, 1]), **kwargs)


def test_dataset_without_labels(multi_label_dataset):
    multi_label_dataset.full_init()
    empty = multi_label_dataset.get_subset([5, 5])
    with pytest.raises(ValueError, match='none of the 2 images'):
        RepeatFactorSampler(empty)
