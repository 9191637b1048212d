import numpy as np
import pytest
import torch

from mmlt.analysis.report.predictions import (
    describe_logits,
    grouped_reliability,
    reliability,
)
from mmlt.class_stats import ClassStats

rng = np.random.default_rng(0)
GROUP = np.array([2, 1, 1, 0, 0])


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
    confusion = facts['confusion']
    assert confusion['columns'] == ['right', 'z', 'y', 'x']
    np.testing.assert_allclose(np.sum(confusion['percent'], axis=1), 100)
