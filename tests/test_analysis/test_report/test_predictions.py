import numpy as np
import pytest
import torch

from mmlt.analysis.report.predictions import (
    confused_pairs,
    describe_logits,
    group_confusion,
    grouped_reliability,
    reliability,
)
from mmlt.class_stats import ClassStats

rng = np.random.default_rng(0)
GROUP = np.array([2, 1, 1, 0, 0])
LABELS = rng.integers(0, 5, 300)
PREDICTED = rng.integers(-1, 5, 300)


def ece_by_hand(confidence, hit, bins):
    gaps = 0
    for m in range(1, bins + 1):
        inside = [
            k
            for k, c in enumerate(confidence)
            if (m - 1) / bins < c <= m / bins
        ]
        if inside:
            accuracy = sum(hit[k] for k in inside) / len(inside)
            mean = sum(confidence[k] for k in inside) / len(inside)
            gaps += len(inside) * abs(accuracy - mean)
    return 100 * gaps / len(confidence)


def test_ece_is_the_mean_gap_of_bins():
    confidence, hit = rng.random(200), rng.random(200) < 0.5
    found = reliability(confidence, hit, 15)
    expected = ece_by_hand(confidence.tolist(), hit.tolist(), 15)
    assert found['ece'] == pytest.approx(expected, abs=1e-9)
    assert sum(found['count']) == 200


def test_ece_by_hand_on_the_edges():
    found = reliability(
        np.array([0.5, 1, 0]), np.array([True, False, True]), 2
    )
    assert found['count'] == [2, 1]  # 0.5 is in the lower bin, 0 too
    assert found['accuracy'] == [1, 0]
    assert found['ece'] == pytest.approx(100 * (2 * 0.75 + 1) / 3)
    assert np.isnan(reliability(np.array([]), np.array([], bool))['ece'])


def test_reliability_by_group():
    confidence = np.array([0.9, 0.9, 0.5])
    found = grouped_reliability(
        confidence, np.array([True, True, False]), np.array([1, 1, 0]), 'ab'
    )
    assert list(found) == ['all', 'b', 'a']
    assert found['b']['ece'] == pytest.approx(10)
    assert found['a']['ece'] == pytest.approx(50)


def test_group_confusion_is_what_counting_gives():
    found = group_confusion(PREDICTED, LABELS, GROUP, 3)
    expected = np.zeros((3, 5))
    for predicted, label in zip(PREDICTED, LABELS, strict=True):
        column = 0 if predicted == label else 1 + GROUP[predicted]
        expected[GROUP[label], 4 if predicted < 0 else column] += 1
    expected *= 100 / expected.sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected)
    empty = group_confusion(np.array([0]), np.array([0]), GROUP, 3)
    np.testing.assert_equal(empty[:2], np.full((2, 5), np.nan))


def test_confused_pairs_are_those_that_counting_gives():
    names = list('abcde')
    expected = {}
    for predicted, label in zip(PREDICTED, LABELS, strict=True):
        if 0 <= predicted != label:
            pair = names[label], names[predicted]
            expected[pair] = expected.get(pair, 0) + 1
    found = confused_pairs(PREDICTED, LABELS, names, 100)
    shares = [each['share'] for each in found]
    assert shares == sorted(shares, reverse=True)
    assert {
        (each['class'], each['taken_for']): round(
            each['share'] * each['samples'] / 100
        )
        for each in found
    } == expected
    assert confused_pairs(PREDICTED, LABELS, names, 2) == found[:2]


def test_multi_label_logits():
    stats = ClassStats([9, 5, 5, 2, 1], num_images=10, classes=list('abcde'))
    labels = torch.from_numpy(rng.integers(-1, 2, (40, 5)))
    logits = torch.randn(40, 5, generator=torch.Generator().manual_seed(0))
    facts = describe_logits(
        dict(logits=logits, labels=labels), stats, GROUP, ('x', 'y', 'z')
    )
    assert facts['measure'] == 'AP'
    known = int((labels >= 0).sum())
    assert sum(facts['calibration']['all']['count']) == known
    assert list(facts['summary']) == ['mAP', 'z', 'y', 'x']
    assert facts['summary']['z'] == facts['scores'][0]
    assert 'confusion' not in facts
