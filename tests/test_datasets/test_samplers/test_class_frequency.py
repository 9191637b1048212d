import time
from itertools import chain

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset
from scipy.stats import chisquare
from torch.utils.data import BatchSampler, Dataset, Subset

from mmlt.datasets.samplers import ClassFrequencySampler, ReversedSampler
from mmlt.datasets.samplers.class_frequency import class_probability
from mmlt.registry import DATA_SAMPLERS

COUNTS = np.array([400, 0, 90, 30, 5, 1])  # an empty and a one-image class
LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(6), COUNTS))
POWERS = [1, 0.5, 0, -0.5, -1, -2]


def p_value(observed, probability):
    """Chi-square test of counts against probabilities; zeros must be zero."""
    possible = probability > 0
    assert not observed[~possible].any()
    expected = probability[possible] * observed.sum()
    return chisquare(observed[possible], expected).pvalue


@pytest.mark.parametrize('power', POWERS)
def test_classes_follow_the_formula(label_dataset, power):
    sampler = ClassFrequencySampler(
        label_dataset(LABELS), power, seed=0, num_samples=100_000
    )
    # The formula, class by class
    weight = [float(n) ** power if n else 0.0 for n in COUNTS]
    probability = np.array([w / sum(weight) for w in weight])
    observed = np.bincount(LABELS[list(sampler)], minlength=6)
    assert p_value(observed, probability) > 1e-3
    # ... and the test would see another exponent.
    other = class_probability(COUNTS, power + 0.1)
    assert p_value(observed, other) < 1e-6


def test_deferred_resampling_of_ldam(label_dataset):
    beta = 0.99
    sampler = ClassFrequencySampler(
        label_dataset(LABELS), 0, seed=0, num_samples=100_000, beta=beta
    )
    # LDAM's code gives each image the weight of its class in the loss.
    weight = [(1 - beta) / (1 - beta ** int(COUNTS[y])) for y in LABELS]
    mass = np.bincount(LABELS, weight, minlength=6)
    probability = mass / mass.sum()
    np.testing.assert_allclose(sampler.probability, probability, rtol=1e-12)
    observed = np.bincount(LABELS[list(sampler)], minlength=6)
    assert p_value(observed, probability) > 1e-3
    assert p_value(observed, class_probability(COUNTS, 0)) < 1e-6


@pytest.mark.parametrize('power', POWERS)
def test_effective_number_lies_between_one_and_the_count(power):
    def expect(beta, other):
        np.testing.assert_allclose(
            class_probability(COUNTS, power, beta),
            class_probability(COUNTS, other),
            rtol=1e-4,
        )

    expect(0.0, 1)
    expect(1 - 1e-9, power)


@pytest.mark.parametrize('power', [1, 0, -1])
def test_images_of_a_class_are_uniform(label_dataset, power):
    sampler = ClassFrequencySampler(
        label_dataset(LABELS), power, seed=1, num_samples=100_000
    )
    observed = np.bincount(list(sampler), minlength=len(LABELS))
    for label in (0, 2, 3):
        of_class = observed[label == LABELS]
        assert chisquare(of_class).pvalue > 1e-3


def test_consecutive_draws_are_independent(label_dataset):
    labels = [0, 1, 1, 1]
    sampler = ClassFrequencySampler(
        label_dataset(labels), 0, seed=2, num_samples=100_000
    )
    drawn = np.take(labels, list(sampler))
    pairs = np.bincount(2 * drawn[::2] + drawn[1::2], minlength=4)
    assert chisquare(pairs).pvalue > 1e-3


def test_reversed_is_the_formula_of_bbn(label_dataset):
    sampler = ReversedSampler(label_dataset(LABELS), seed=0)
    present = COUNTS[COUNTS > 0]
    weight = present.max() / present
    np.testing.assert_allclose(
        sampler.probability[COUNTS > 0], weight / weight.sum(), rtol=1e-12
    )
    assert list(sampler) == list(
        ClassFrequencySampler(label_dataset(LABELS), -1, seed=0)
    )


def test_class_probability_by_hand():
    counts = np.array([4, 0, 1])
    expected = {
        1: [4 / 5, 0, 1 / 5],
        0.5: [2 / 3, 0, 1 / 3],
        0: [1 / 2, 0, 1 / 2],
        -1: [1 / 5, 0, 4 / 5],
    }
    for power, probability in expected.items():
        np.testing.assert_allclose(
            class_probability(counts, power), probability, rtol=1e-14
        )


@pytest.mark.parametrize(
    ('power', 'likeliest'), [(300, 0), (-300, 4), (1e300, 0), (-1e300, 4)]
)
def test_large_exponents_stay_finite(label_dataset, power, likeliest):
    counts = np.array([1000, 0, 900, 3, 2])
    probability = class_probability(counts, power)
    np.testing.assert_allclose(probability, np.eye(5)[likeliest], atol=1e-10)
    labels = np.repeat(np.arange(5), counts)
    sampler = ClassFrequencySampler(label_dataset(labels), power, seed=0)
    assert set(labels[list(sampler)]) == {likeliest}


def test_one_class_of_one_image(label_dataset):
    sampler = ReversedSampler(label_dataset([7]), seed=0, num_samples=3)
    assert list(sampler) == [0, 0, 0]


def test_multi_label(multi_label_dataset):
    sampler = ClassFrequencySampler(
        multi_label_dataset, 0, seed=0, num_samples=60_000
    )
    # Classes 0, 1, 3 have 4, 2, 2 images; image 5 has none of them.
    image = np.array([1 / 4, 3 / 4, 5 / 4, 1 / 2, 1 / 4, 0]) / 3
    observed = np.bincount(list(sampler), minlength=6)
    assert p_value(observed, image) > 1e-3


def test_detection(detection_dataset):
    sampler = ClassFrequencySampler(
        detection_dataset, -1, seed=0, num_samples=60_000
    )
    # Both classes have two images, whatever the number of boxes.
    observed = np.bincount(list(sampler), minlength=4)
    assert p_value(observed, np.array([1, 2, 1, 0]) / 4) > 1e-3


def test_wrappers(label_dataset):
    dataset = label_dataset(LABELS)
    tail = np.flatnonzero(LABELS >= 3)
    wrapped = ConcatDataset(
        [
            dict(
                type='mmlt.LongTailedDataset',
                dataset=dataset,
                counts=[9, 0, 8, 7, 5, 1],
            ),
            dict(type='RepeatDataset', dataset=label_dataset([1, 1]), times=2),
        ]
    )
    sampler = ClassFrequencySampler(wrapped, 0, seed=0, num_samples=60_000)
    drawn = list(sampler)
    labels = np.array([wrapped[index]['gt_label'] for index in range(34)])
    assert np.bincount(labels).tolist() == [9, 4, 8, 7, 5, 1]
    probability = class_probability(np.bincount(labels), 0)
    assert p_value(np.bincount(labels[drawn]), probability) > 1e-3

    subset = Subset(dataset, tail)
    drawn = list(ReversedSampler(subset, seed=0))
    assert {subset[index]['gt_label'] for index in drawn} == {3, 4, 5}


def test_batches_of_one_aspect_ratio(detection_dataset):
    sampler = DATA_SAMPLERS.build(
        dict(type='mmlt.ReversedSampler', num_samples=200),
        default_args=dict(dataset=detection_dataset, seed=0),
    )
    batches = DATA_SAMPLERS.build(
        dict(type='mmdet.AspectRatioBatchSampler', batch_size=4),
        default_args=dict(sampler=sampler),
    )
    batches = list(batches)
    assert sorted(chain(*batches)) == sorted(sampler)
    for batch in batches[:-1]:
        # Even images are wider than high.
        assert len({index % 2 for index in batch}) == 1


def test_drop_last(label_dataset):
    sampler = ReversedSampler(label_dataset(LABELS), seed=0)
    batches = list(BatchSampler(sampler, 100, drop_last=True))
    assert [len(batch) for batch in batches] == [100] * 5


@pytest.mark.parametrize(
    ('power', 'error', 'match'),
    [
        (float('nan'), ValueError, 'power must be finite, got nan'),
        (float('-inf'), ValueError, 'power must be finite, got -inf'),
        ('sqrt', TypeError, "power must be a number, got 'sqrt'"),
        (None, TypeError, 'power must be a number, got None'),
        (True, TypeError, 'power must be a number, got True'),
    ],
)
def test_bad_power(label_dataset, power, error, match):
    with pytest.raises(error, match=match):
        ClassFrequencySampler(label_dataset(LABELS), power)


@pytest.mark.parametrize(
    ('beta', 'error', 'match'),
    [
        (1, ValueError, r'beta must be in \[0, 1\), got 1'),
        (float('nan'), ValueError, r'beta must be in \[0, 1\), got nan'),
        ('0.99', TypeError, "beta must be a number, got '0.99'"),
    ],
)
def test_bad_beta(label_dataset, beta, error, match):
    with pytest.raises(error, match=match):
        ClassFrequencySampler(label_dataset(LABELS), 0, beta=beta)


def test_unknown_key(label_dataset):
    with pytest.raises(TypeError, match='exponent'):
        DATA_SAMPLERS.build(
            dict(type='mmlt.ClassFrequencySampler', power=0, exponent=1),
            default_args=dict(dataset=label_dataset(LABELS), seed=0),
        )


def test_dataset_without_labels():
    class Images(BaseDataset):
        def load_data_list(self):
            return [{'img_path': f'{index}.jpg'} for index in range(3)]

    with pytest.raises(ValueError, match='a data set without labels'):
        ReversedSampler(Images(), seed=0)

    class Plain(Dataset):
        def __len__(self):
            return 3

    with pytest.raises(TypeError, match='labels cannot be read'):
        ReversedSampler(Plain(), seed=0)


def test_time_of_an_epoch_of_inaturalist(label_dataset):
    rng = np.random.default_rng(0)
    labels = (8142 * rng.random(437_513) ** 4).astype(np.int64)
    sampler = ReversedSampler(label_dataset(labels), seed=0)
    times = []  # Of this process: others may be busy.
    for _ in range(3):
        start = time.process_time()
        count = len(list(sampler))
        times.append(time.process_time() - start)
    assert count == 437_513
    assert min(times) < 0.5
