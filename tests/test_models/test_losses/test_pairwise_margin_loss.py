import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    LogitAdjustedLoss,
    PairwiseMarginLoss,
    is_fisher_consistent,
    pairwise_margin_loss,
)

COUNTS = [100, 30, 7, 1]
PRIOR = torch.tensor(COUNTS, dtype=torch.float64) / sum(COUNTS)


def naive(scores, target, alpha, delta):
    """alpha_y log(1 + sum_{k != y} exp(Delta_yk) exp(z_k - z_y))."""
    losses = []
    for row, y in zip(scores.tolist(), target.tolist(), strict=True):
        total = sum(
            math.exp(float(delta[y][k])) * math.exp(row[k] - row[y])
            for k in range(len(row))
            if k != y
        )
        losses.append(float(alpha[y]) * math.log1p(total))
    return torch.tensor(losses, dtype=torch.float64)


def published(preset, tau):
    """(alpha, Delta) of methods' table, as full matrices."""
    ones, zeros = torch.ones(4), torch.zeros(4, 4)
    return {
        'balanced': (PRIOR**-tau, zeros),
        'adaptive': (ones, zeros + tau * PRIOR[:, None] ** -0.25),
        'equalised': (ones, zeros + tau * PRIOR.log()),
        'logit_adjusted': (ones, tau * (PRIOR / PRIOR[:, None]).log()),
    }[preset]


PRESETS = ['balanced', 'adaptive', 'equalised', 'logit_adjusted']


def in_float64(loss):
    loss.double()
    if loss.preset is not None:
        loss.on_class_stats(loss.class_stats)
    return loss


@pytest.mark.parametrize('preset', PRESETS)
@pytest.mark.parametrize('tau', [0.5, 1.0])
def test_preset_equals_naive_loop(preset, tau):
    scores = torch.randn(12, 4, dtype=torch.float64) * 3
    target = torch.arange(12) % 4
    loss = in_float64(
        PairwiseMarginLoss(preset, tau, class_stats=COUNTS, reduction='none')
    )
    expected = naive(scores, target, *published(preset, tau))
    assert_close(loss(scores, target), expected, atol=1e-6, rtol=0)


def test_given_margins_equal_naive_loop():
    scores = torch.randn(12, 4, dtype=torch.float64) * 3
    target = torch.arange(12) % 4
    alpha, delta = torch.rand(4), torch.randn(4, 4)
    loss = PairwiseMarginLoss(
        None, alpha=alpha.tolist(), delta=delta.tolist(), reduction='none'
    ).double()
    expected = naive(scores, target, alpha, delta)
    assert_close(loss(scores, target), expected, atol=1e-6, rtol=0)


def test_value_by_hand():
    # Equal logits, one rival with Delta = log 3: log(1 + 3), weighted by 2.
    delta = [[0.0, math.log(3)], [0.0, 0.0]]
    loss = PairwiseMarginLoss(None, alpha=[2.0, 1.0], delta=delta)
    value = loss(torch.zeros(1, 2), torch.tensor([0]))
    assert_close(value, torch.tensor(2 * math.log(4)))


@pytest.mark.parametrize('preset', [*PRESETS, None])
def test_soft_target_is_mixture_of_hard_targets(preset):
    delta = None if preset else torch.randn(4, 4).tolist()
    loss = in_float64(
        PairwiseMarginLoss(preset, delta=delta, class_stats=COUNTS)
    )
    scores = torch.randn(6, 4, dtype=torch.float64) * 3
    first, second = torch.randint(0, 4, (2, 6))
    mixed = 0.3 * F.one_hot(first, 4) + 0.7 * F.one_hot(second, 4)
    expected = 0.3 * loss(scores, first) + 0.7 * loss(scores, second)
    assert_close(loss(scores, mixed.double()), expected)


def test_no_margin_is_cross_entropy():
    scores, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    loss = PairwiseMarginLoss(None, alpha=[1.0] * 4)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


@pytest.mark.parametrize('columns', [4, 5])
def test_preset_equals_logit_adjusted_loss(columns):
    scores, target = torch.randn(8, columns), torch.arange(8) % columns
    pairwise = PairwiseMarginLoss('logit_adjusted', class_stats=COUNTS)
    adjusted = LogitAdjustedLoss(class_stats=COUNTS)
    assert_close(pairwise(scores, target), adjusted(scores, target))


@pytest.mark.parametrize('preset', ['balanced', 'equalised'])
def test_background_is_left_alone(preset):
    """Balanced classes and background change nothing beside cross entropy."""
    scores, target = torch.randn(8, 5), torch.arange(8) % 5
    loss = PairwiseMarginLoss(preset, class_stats=[5] * 4)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


def test_given_margins_with_background():
    scores = torch.randn(8, 5, dtype=torch.float64)
    target = torch.arange(8) % 5
    delta = torch.randn(4, 4)
    loss = PairwiseMarginLoss(None, delta=delta.tolist(), reduction='none')
    padded = F.pad(delta, (0, 1, 0, 1))
    expected = naive(scores, target, [1.0] * 5, padded)
    assert_close(loss(scores, target), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize('with_matrix', [False, True])
def test_gradcheck(with_matrix):
    scores = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    vectors = torch.rand(3, 4, dtype=torch.float64)
    matrix = torch.randn(4, 4, dtype=torch.float64) if with_matrix else None
    target = torch.arange(5) % 4
    soft = torch.rand(5, 4, dtype=torch.float64).softmax(1)
    for labels in (target, soft):
        assert torch.autograd.gradcheck(
            lambda z, labels=labels: pairwise_margin_loss(
                z, labels, *vectors, matrix
            ),
            scores,
        )


@pytest.mark.parametrize('preset', [*PRESETS, None])
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('soft', [False, True])
def test_finite_in_half_precision(preset, dtype, soft):
    delta = None if preset else torch.randn(4, 4).tolist()
    loss = PairwiseMarginLoss(preset, delta=delta, class_stats=COUNTS)
    signs = torch.randint(0, 2, (8, 4)) * 2 - 1
    scores = (signs * 100).to(dtype).requires_grad_()
    target = torch.arange(8) % 4
    if soft:
        target = torch.full((8, 4), 0.25)
    value = loss(scores, target)
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()


def test_fisher_consistency():
    consistent = {
        preset: is_fisher_consistent(*published(preset, 1.0), PRIOR)
        for preset in PRESETS
    }
    assert consistent == {
        'balanced': True,
        'adaptive': False,
        'equalised': False,
        'logit_adjusted': True,
    }
    assert not is_fisher_consistent(*published('logit_adjusted', 2.0), PRIOR)
    # Any positive d will do.
    d = torch.rand(4, dtype=torch.float64) + 0.1
    assert is_fisher_consistent(d / PRIOR, (d / d[:, None]).log(), PRIOR)


def test_fisher_consistency_bad_input():
    with pytest.raises(ValueError, match='do not fit'):
        is_fisher_consistent([1.0, 1.0], [[0.0]], [0.5, 0.5])
    with pytest.raises(ValueError, match='prior must be positive'):
        is_fisher_consistent([1.0, 1.0], torch.zeros(2, 2), [1.0, 0.0])


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        ({'preset': 'ldam'}, 'preset must be one of'),
        ({'preset': None}, 'give either a preset'),
        ({'alpha': [1.0] * 4}, 'give either a preset'),
        ({'tau': math.nan}, 'tau must be finite'),
        ({'preset': None, 'alpha': [1.0, -1.0]}, 'alpha must be finite'),
        ({'preset': None, 'delta': [[0.0, math.inf]] * 2}, 'delta must be'),
        ({'preset': None, 'delta': [[0.0, 1.0]]}, r'shapes \(C,\) and'),
        ({'reduction': 'average'}, 'reduction must be'),
    ],
)
def test_bad_argument_raises_at_build(wrong, message):
    with pytest.raises(ValueError, match=message):
        PairwiseMarginLoss(**wrong)


def test_missing_stats_and_given_margins_need_none():
    scores, target = torch.zeros(1, 4), torch.tensor([0])
    with pytest.raises(ValueError, match='ClassStatsHook'):
        PairwiseMarginLoss()(scores, target)
    given = PairwiseMarginLoss(None, alpha=[1.0] * 4)
    # Statistics with an empty class are of no concern to it.
    given.set_class_stats(ClassStats.single_label([5, 0, 1, 1]))
    assert_close(given(scores, target), torch.tensor(math.log(4)))


def test_empty_batch_backpropagates():
    scores = torch.zeros(0, 4, requires_grad=True)
    loss = PairwiseMarginLoss(class_stats=COUNTS)
    loss(scores, torch.zeros(0, dtype=torch.long), avg_factor=1.0).backward()
    assert scores.grad.shape == (0, 4)


def test_compiles_in_one_graph():
    loss = PairwiseMarginLoss('adaptive', class_stats=COUNTS)
    scores, target = torch.randn(6, 4), torch.arange(6) % 4
    compiled = torch.compile(loss, fullgraph=True, backend='eager')
    assert_close(compiled(scores, target), loss(scores, target))
