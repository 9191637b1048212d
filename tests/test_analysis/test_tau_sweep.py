import math

import numpy as np
import pytest
import torch

from mmlt.analysis.tau_sweep import (
    TauSweep,
    draw_tau_sweep,
    sweep_tau,
    winning_taus,
)
from mmlt.class_stats import ClassStats

COUNT = [400, 150, 150, 60, 30, 10, 5]
TAUS = [-0.5, 0.0, 0.3, 1.0, 1.7]


def make_logits(n=300, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    prior = torch.tensor(COUNT, dtype=dtype)
    labels = torch.arange(n) % (len(COUNT) - 1)
    logits = torch.randn(n, len(COUNT), dtype=dtype, generator=generator)
    logits += (prior / prior.sum()).log()
    logits[torch.arange(n), labels] += 2
    return logits, labels


def naive_sweep(logits, labels, tau):
    """Overall, balanced and (few, medium, many) accuracy, by loops."""
    right, seen = [0] * len(COUNT), [0] * len(COUNT)
    log_pi = [math.log(n / sum(COUNT)) for n in COUNT]
    for i, label in enumerate(labels.tolist()):
        row = logits[i].tolist()
        adjusted = [row[k] - tau * log_pi[k] for k in range(7)]
        right[label] += adjusted.index(max(adjusted)) == label
        seen[label] += 1
    recall = {k: 100 * right[k] / seen[k] for k in range(7) if seen[k]}

    def mean(classes):
        values = [recall[k] for k in classes if k in recall]
        return sum(values) / len(values)

    groups = [mean([5, 6]), mean([3, 4]), mean([0, 1, 2])]
    overall = 100 * sum(right) / sum(seen)
    return overall, mean(range(7)), groups


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32])
def test_sweep_equals_loops(dtype):
    logits, labels = make_logits(dtype=dtype)
    stats = ClassStats.single_label(COUNT)
    sweep = sweep_tau(logits, labels, stats, TAUS)
    for t, tau in enumerate(TAUS):
        overall, balanced, groups = naive_sweep(logits, labels, tau)
        assert sweep.overall[t] == pytest.approx(overall)
        assert sweep.balanced[t] == pytest.approx(balanced)
        assert sweep.groups[t] == pytest.approx(groups)
    assert len(set(sweep.balanced)) > 2
    assert sweep.balanced[sweep.best] == sweep.balanced.max()
    assert sweep.best_tau == TAUS[sweep.best]


def test_chunks_make_no_difference(monkeypatch):
    logits, labels = make_logits()
    log_pi = torch.tensor(COUNT).double().log()
    whole = winning_taus(logits, labels, log_pi)
    monkeypatch.setattr('mmlt.analysis.tau_sweep.CHUNK_NUMBERS', 50)
    parts = winning_taus(logits, labels, log_pi)
    assert torch.equal(parts[0], whole[0])
    assert torch.equal(parts[1], whole[1])


def test_winning_taus_by_hand():
    # Class 0 is e^2 times as frequent as 1 and 2.
    log_pi = torch.tensor([0.0, -2.0, -2.0])
    logits = torch.tensor([[3.0, 1.0, 0.0], [3.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    low, high = winning_taus(logits, torch.tensor([0, 1, 2]), log_pi)
    # 3 >= 1 + 2 tau up to tau = 1, from there on class 1 wins.
    assert low.tolist()[:2] == [-math.inf, 1.0]
    assert high.tolist()[:2] == [1.0, math.inf]
    assert low[2] > high[2]


def test_the_first_of_equally_good_taus_is_chosen():
    zeros = np.zeros(3)
    sweep = TauSweep(
        np.array([0.5, 1.0, 1.5]), zeros, zeros, zeros[:, None], ('all',)
    )
    assert sweep.best_tau == 0.5


def test_groups_without_samples_are_nan_and_not_drawn(tmp_path):
    logits, labels = make_logits()
    keep = labels < 5
    stats = ClassStats.single_label(COUNT)
    sweep = sweep_tau(logits[keep], labels[keep], stats, TAUS)
    assert np.isnan(sweep.groups[:, 0]).all()
    assert not np.isnan(sweep.groups[:, 1:]).any()
    assert not np.isnan(sweep.balanced).any()
    assert list(sweep.to_dict())[-2:] == ['medium', 'many']
    draw_tau_sweep(sweep, tmp_path / 'sweep.png')
    assert (tmp_path / 'sweep.png').read_bytes().startswith(b'\x89PNG')


def test_zero_counts_follow_the_policy():
    logits, labels = make_logits()
    stats = ClassStats.single_label([*COUNT[:-1], 0])
    with pytest.raises(ValueError, match='zero_count'):
        sweep_tau(logits, labels, stats, TAUS)
    one = ClassStats.single_label([*COUNT[:-1], 1])
    actual = sweep_tau(logits, labels, stats, TAUS, zero_count='one')
    expected = sweep_tau(logits, labels, one, TAUS)
    np.testing.assert_allclose(actual.balanced, expected.balanced)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(logits=torch.zeros(3)), r'shapes \(N, C\) and \(N,\)'),
        (dict(labels=torch.zeros(3, dtype=int)), r'got \(4, 7\) and \(3,\)'),
        (dict(labels=torch.full((4,), 7)), r'labels hold 7, .* 7 classes'),
        (dict(labels=torch.full((4,), -1)), 'labels hold -1'),
        (dict(logits=torch.zeros(4, 6)), r'6 columns.* hold 7 classes'),
        (dict(logits=torch.full((4, 7), math.nan)), 'finite numbers'),
        (
            dict(logits=torch.zeros(0, 7), labels=torch.zeros(0, dtype=int)),
            'finite numbers, and some',
        ),
        (dict(taus=[]), r'taus must be finite numbers, got \[\]'),
        (dict(taus=[math.inf]), 'taus must be finite numbers'),
        (dict(thresholds=(20,)), 'group_names must hold 2 names'),
    ],
)
def test_bad_input(change, message):
    good = dict(
        logits=torch.zeros(4, 7),
        labels=torch.zeros(4, dtype=int),
        stats=ClassStats.single_label(COUNT),
        taus=TAUS,
    )
    with pytest.raises(ValueError, match=message):
        sweep_tau(**{**good, **change})
