import numpy as np
import pytest
import torch

from mmlt.analysis.confusion import (
    confused_pairs,
    describe_confusion,
    draw_confusion,
    group_confusion,
    predicted_labels,
)
from mmlt.class_stats import ClassStats

rng = np.random.default_rng(0)
GROUP = np.array([2, 1, 1, 0, 0])
LABELS = rng.integers(0, 5, 300)
PREDICTED = rng.integers(-1, 5, 300)
WEIGHT = rng.random(300)
STATS = ClassStats([9, 5, 5, 2, 1], num_images=10, classes=list('abcde'))
NAMES = ('few', 'medium', 'many')


def test_group_confusion_is_what_counting_gives():
    found = group_confusion(PREDICTED, LABELS, WEIGHT, GROUP, 3)
    expected = np.zeros((3, 5))
    for predicted, label, weight in zip(
        PREDICTED, LABELS, WEIGHT, strict=True
    ):
        column = 0 if predicted == label else 1 + GROUP[predicted]
        expected[GROUP[label], 4 if predicted < 0 else column] += weight
    expected *= 100 / expected.sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected)
    one = np.array([0])
    empty = group_confusion(one, one, np.ones(1), GROUP, 3)
    np.testing.assert_equal(empty[:2], np.full((2, 5), np.nan))


def test_confused_pairs_are_those_that_counting_gives():
    names = list('abcde')
    expected, samples = {}, np.zeros(5)
    for predicted, label, weight in zip(
        PREDICTED, LABELS, WEIGHT, strict=True
    ):
        samples[label] += weight
        if 0 <= predicted != label:
            pair = names[label], names[predicted]
            expected[pair] = expected.get(pair, 0) + weight
    found = confused_pairs(PREDICTED, LABELS, WEIGHT, names, 100)
    shares = [each['share'] for each in found]
    assert shares == sorted(shares, reverse=True)
    assert {
        (each['class'], each['taken_for']): each['share'] / 100
        for each in found
    } == pytest.approx(
        {
            pair: weight / samples[names.index(pair[0])]
            for pair, weight in expected.items()
        }
    )
    assert confused_pairs(PREDICTED, LABELS, WEIGHT, names, 2) == found[:2]


def test_one_label_is_taken_for_the_largest_logit():
    logits = torch.tensor([[1.0, 2], [3, 0], [0, 1]])
    predicted, labels, weight = predicted_labels(logits, torch.tensor([0] * 3))
    assert predicted.tolist() == [1, 0, 1]
    assert labels.tolist() == [0, 0, 0]
    assert weight.tolist() == [1, 1, 1]


def test_several_labels_by_hand():
    logits = torch.tensor([[4.0, 3, 2, 1, 0], [5, 4, 3, 2, 1]])
    # Of the first image a and b are predicted, of the second one b and c,
    # since it is not known whether it has an a.
    labels = torch.tensor([[1, 0, 0, 1, 0], [-1, 0, 0, 1, 1]])
    predicted, true, weight = predicted_labels(logits, labels)
    pairs = zip(true.tolist(), predicted.tolist(), strict=True)
    assert dict(zip(pairs, weight.tolist(), strict=True)) == {
        (0, 0): 1,
        (3, 1): 1.5,
        (3, 2): 0.5,
        (4, 1): 0.5,
        (4, 2): 0.5,
    }


def test_several_labels_are_shared_as_a_loop_does():
    labels = torch.from_numpy(rng.integers(-1, 2, (40, 5)))
    logits = torch.from_numpy(rng.normal(size=(40, 5)))
    expected = np.zeros((5, 5))
    for z, y in zip(logits.tolist(), labels.tolist(), strict=True):
        positive = {k for k in range(5) if y[k] == 1}
        known = sorted((k for k in range(5) if y[k] >= 0), key=lambda k: -z[k])
        chosen = set(known[: len(positive)])
        for k in positive & chosen:
            expected[k, k] += 1
        for k in positive - chosen:
            for j in chosen - positive:
                expected[k, j] += 1 / len(chosen - positive)
    found = np.zeros((5, 5))
    predicted, true, weight = predicted_labels(logits, labels)
    np.add.at(found, (true, predicted), weight)
    np.testing.assert_allclose(found, expected)
    np.testing.assert_allclose(found.sum(1), (labels == 1).sum(0), atol=1e-9)


def test_rows_and_columns_begin_with_the_most_frequent():
    facts = describe_confusion(PREDICTED, LABELS, WEIGHT, STATS, GROUP, NAMES)
    assert facts['confusion']['rows'] == ['many', 'medium', 'few']
    assert facts['confusion']['columns'] == [
        'right', 'many', 'medium', 'few', 'none'
    ]  # fmt: skip
    first = facts['pairs'][0]
    assert {first['class'], first['taken_for']} <= set('abcde')


def test_figure(tmp_path):
    predicted = np.maximum(PREDICTED, 0)
    # One class has no label.
    labels = np.minimum(LABELS, 3)
    path = tmp_path / 'x.png'
    draw_confusion(predicted, labels, WEIGHT, STATS, GROUP, path)
    assert path.stat().st_size > 5000
