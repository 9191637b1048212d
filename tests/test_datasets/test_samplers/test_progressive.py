import numpy as np
import pytest
from scipy.stats import chisquare

from mmlt.datasets.samplers import ClassFrequencySampler, ProgressiveSampler

COUNTS = np.array([60, 0, 30, 9, 1])
LABELS = np.repeat(np.arange(5), COUNTS)


def test_probability_by_hand(label_dataset):
    sampler = ProgressiveSampler(label_dataset(LABELS), max_epochs=5, seed=0)
    expected = {
        0: [0.6, 0, 0.3, 0.09, 0.01],
        1: [0.5125, 0, 0.2875, 0.13, 0.07],
        4: [0.25, 0, 0.25, 0.25, 0.25],
        9: [0.25, 0, 0.25, 0.25, 0.25],
    }
    for epoch, probability in expected.items():
        sampler.set_epoch(epoch)
        np.testing.assert_allclose(
            sampler.probability, probability, rtol=1e-12
        )


@pytest.mark.parametrize('epoch', range(3))
def test_classes_follow_the_formula(label_dataset, epoch):
    sampler = ProgressiveSampler(
        label_dataset(LABELS), max_epochs=3, seed=0, num_samples=100_000
    )
    sampler.set_epoch(epoch)
    observed = np.bincount(LABELS[list(sampler)], minlength=5)
    t = epoch / 2
    present = np.array([60, 30, 9, 1])
    expected = 100_000 * ((1 - t) * present / 100 + t / 4)
    assert observed[1] == 0
    assert chisquare(observed[[0, 2, 3, 4]], expected).pvalue > 1e-3


def test_ends_are_the_two_samplers(label_dataset):
    dataset = label_dataset(LABELS)
    sampler = ProgressiveSampler(dataset, max_epochs=3, seed=0)
    for epoch, power in ((0, 1), (2, 0)):
        end = ClassFrequencySampler(dataset, power, seed=0)
        for each in (sampler, end):
            each.set_epoch(epoch)
        assert list(sampler) == list(end)


def test_one_epoch_is_instance_balanced(label_dataset):
    sampler = ProgressiveSampler(label_dataset(LABELS), max_epochs=1, seed=0)
    np.testing.assert_allclose(sampler.probability, COUNTS / 100)


@pytest.mark.parametrize(
    ('max_epochs', 'error', 'match'),
    [
        (0, ValueError, 'max_epochs must be >= 1, got 0'),
        (2.5, TypeError, 'max_epochs must be an integer, got 2.5'),
    ],
)
def test_bad_max_epochs(label_dataset, max_epochs, error, match):
    with pytest.raises(error, match=match):
        ProgressiveSampler(label_dataset(LABELS), max_epochs=max_epochs)
