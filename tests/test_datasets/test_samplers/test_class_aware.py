import numpy as np
import pytest
from scipy.stats import chisquare

from mmlt.analysis.sampling_probability import sampling_probability
from mmlt.datasets.samplers import ClassAwareSampler
from mmlt.datasets.samplers.class_images import ClassImages
from mmlt.registry import DATA_SAMPLERS

COUNTS = np.array([40, 0, 9, 3, 1])  # an empty and a one-image class
LABELS = np.repeat(np.arange(5), COUNTS)


@pytest.mark.parametrize('world_size', [1, 3])
def test_frequencies_match_the_computed_ones(
    multi_label_dataset, as_rank, world_size
):
    drawn = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        sampler = ClassAwareSampler(
            multi_label_dataset, 1, seed=0, num_samples=30_000
        )
        drawn += list(sampler)
    probability = sampling_probability(multi_label_dataset)
    observed = np.bincount(drawn, minlength=6)
    # The image without a label is never drawn ...
    assert not observed[5]
    image = chisquare(observed[:5], probability.image[:5] * len(drawn))
    assert image.pvalue > 1e-3
    # ... and the test would see the probability without co-occurrence.
    wrong = np.full(5, len(drawn) / 5)
    assert chisquare(observed[:5], wrong).pvalue < 1e-6
    labels = [[0], [0, 1], [0, 1, 3], [3], [0], []]
    seen = np.zeros(4)
    for index in drawn:
        seen[labels[index]] += 1
    np.testing.assert_allclose(seen / len(drawn), probability.real, atol=0.01)


def test_each_class_brings_its_images_in_a_row(label_dataset):
    sampler = ClassAwareSampler(label_dataset(LABELS), 3, seed=0)
    classes = LABELS[list(sampler)]
    assert len(classes) == len(LABELS)
    draws = classes[:51].reshape(-1, 3)
    assert (draws == draws[:, :1]).all()
    # Every round holds each class with images once.
    for turn in draws[:16, 0].reshape(-1, 4):
        assert sorted(turn) == [0, 2, 3, 4]


def test_classes_come_in_random_order(label_dataset):
    sampler = ClassAwareSampler(
        label_dataset(LABELS), 1, seed=0, num_samples=4000
    )
    turns = LABELS[list(sampler)].reshape(-1, 4)
    # Each class has each place in a quarter of the rounds.
    for place in turns.T:
        observed = np.bincount(place, minlength=5)[[0, 2, 3, 4]]
        assert chisquare(observed).pvalue > 1e-3
    # All of the 24 orders are there: one does not follow from another.
    assert len(np.unique(turns, axis=0)) == 24


def test_no_image_comes_again_before_all_have_come(label_dataset):
    sampler = ClassAwareSampler(
        label_dataset(LABELS), 3, seed=0, num_samples=1200
    )
    stream = np.array(list(sampler))
    for label, count in enumerate(COUNTS):
        images = stream[LABELS[stream] == label]
        assert len(images) == (300 if count else 0)
        rounds = [
            sorted(images[start : start + count])
            for start in range(0, len(images) - count + 1, max(count, 1))
        ]
        expected = np.flatnonzero(label == LABELS).tolist()
        assert all(one == expected for one in rounds)
    first = stream[LABELS[stream] == 0][:80].reshape(2, 40)
    assert first[0].tolist() != first[1].tolist()


def test_length_of_the_authors(label_dataset, as_rank):
    dataset = label_dataset(LABELS)
    # n_max = 40, C = 4 classes with images
    assert len(ClassAwareSampler(dataset, reduce=4, seed=0)) == 40
    assert len(ClassAwareSampler(dataset, reduce=3, seed=0)) == 53
    assert len(ClassAwareSampler(dataset, seed=0)) == len(LABELS)
    as_rank(2, 3)
    sampler = ClassAwareSampler(dataset, reduce=4, seed=0)
    assert len(sampler) == len(list(sampler)) == 14


def test_shards_make_up_the_single_process_stream(label_dataset, as_rank):
    dataset = label_dataset(LABELS)
    single = ClassAwareSampler(dataset, seed=5)
    single.set_epoch(2)
    stream = list(single)
    shards = []
    for rank in range(3):
        as_rank(rank, 3)
        sampler = ClassAwareSampler(dataset, seed=5)
        sampler.set_epoch(2)
        shards.append(list(sampler))
    union = np.stack(shards, 1).ravel().tolist()
    assert union == (stream + stream)[: len(union)]
    assert len(union) - len(stream) < 3


def test_epochs_differ_and_can_be_resumed(label_dataset):
    dataset = label_dataset(LABELS)
    sampler = ClassAwareSampler(dataset, seed=5)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    assert first != second
    resumed = ClassAwareSampler(dataset, seed=5)
    resumed.set_epoch(1)
    assert list(resumed) == second


def test_cycle_of_few_draws(label_dataset):
    images = ClassImages(label_dataset(LABELS))
    rng = np.random.default_rng(0)
    drawn = images.cycle(np.array([4, 0, 4, 2, 0]), rng)
    assert LABELS[drawn].tolist() == [4, 0, 4, 2, 0]
    assert drawn[1] != drawn[4]
    assert images.cycle(np.array([], dtype=np.int64), rng).size == 0


@pytest.mark.parametrize(
    ('wrong', 'error', 'match'),
    [
        (dict(num_samples_per_class=0), ValueError, 'num_samples_per_class'),
        (dict(reduce=0), ValueError, 'reduce must be >= 1, got 0'),
        (dict(reduce=2.5), TypeError, 'reduce must be an integer, got 2.5'),
        (dict(reduce=161), ValueError, 'reduce=161 leaves no image'),
        (dict(reduce=4, num_samples=9), ValueError, 'give one of them'),
    ],
)
def test_bad_argument(label_dataset, wrong, error, match):
    with pytest.raises(error, match=match):
        DATA_SAMPLERS.build(
            dict(type='mmlt.ClassAwareSampler', **wrong),
            default_args=dict(dataset=label_dataset(LABELS), seed=0),
        )
