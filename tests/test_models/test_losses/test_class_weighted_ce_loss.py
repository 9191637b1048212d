import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import ClassWeightedCELoss
from mmlt.models.losses.class_weights import class_weights

COUNTS = [100, 30, 7, 0]
STATS = ClassStats.single_label(COUNTS)


def naive_weights(kind, beta=0.9999):
    """One class at a time; an empty class counts as one image."""
    weights = []
    for n in (100, 30, 7, 1):
        number = (1 - beta**n) / (1 - beta)
        weights.append(
            dict(
                inverse=1 / n,
                inverse_sqrt=1 / math.sqrt(n),
                effective_number=1 / number,
            )[kind]
        )
    return [4 * w / sum(weights) for w in weights]


@pytest.mark.parametrize(
    'kind', ['inverse', 'inverse_sqrt', 'effective_number']
)
@pytest.mark.parametrize('beta', [0.0, 0.9, 0.9999])
def test_weights_equal_naive_loop(kind, beta):
    weight = class_weights(STATS, kind, beta)
    expected = naive_weights(kind, beta)
    assert_close(weight, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize('average', ['samples', 'weights'])
def test_equals_naive_loop(average):
    scores = torch.randn(12, 4, dtype=torch.float64)
    target = torch.arange(12) % 4
    loss = ClassWeightedCELoss('inverse', class_stats=STATS, average=average)
    loss = loss.double()
    loss.on_class_stats(STATS)  # in float64
    weights = naive_weights('inverse')
    total, parts = 0.0, 0.0
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        ce = math.log(sum(map(math.exp, row))) - row[label]
        total += weights[label] * ce
        parts += weights[label]
    expected = total / (12 if average == 'samples' else parts)
    assert abs(loss(scores, target).item() - expected) < 1e-6


def test_average_by_weights_is_that_of_pytorch():
    scores, target = torch.randn(12, 4), torch.arange(12) % 4
    loss = ClassWeightedCELoss(class_stats=STATS, average='weights')
    expected = F.cross_entropy(scores, target, loss.label_weight)
    assert_close(loss(scores, target), expected)


def test_without_weights_is_cross_entropy():
    scores, target = torch.randn(12, 4), torch.arange(12) % 4
    loss = ClassWeightedCELoss(None)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


def test_value_by_hand():
    # 1/3 and 1 of a sum of 2: weights 1/2 and 3/2; each costs log 2.
    loss = ClassWeightedCELoss('inverse', class_stats=[3, 1])
    value = loss(torch.zeros(2, 2), torch.tensor([1, 1]))
    assert_close(value, torch.tensor(1.5 * math.log(2)))


def test_limits_and_instances():
    # Of 1/8, 1/1 and 1/1, whose mean is 17/24: 3/17 and 24/17.
    stats = ClassStats([4, 1, 1], [8, 1, 1], 5)
    plain = ClassWeightedCELoss('inverse', class_stats=stats, by='instance')
    assert_close(plain.label_weight, torch.tensor([3, 24, 24]) / 17)
    clipped = ClassWeightedCELoss(
        'inverse', class_stats=stats, by='instance', limits=(0.2, 1.4)
    )
    assert_close(clipped.label_weight, torch.tensor([0.2, 1.4, 1.4]))


@pytest.mark.parametrize(
    ('kwargs', 'error'),
    [
        (dict(by='box'), ValueError),
        (dict(limits=(1,)), TypeError),
        (dict(limits=(5, 0.1)), ValueError),
        (dict(limits=(-1, 1)), ValueError),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error):
    with pytest.raises(error, match=next(iter(kwargs))):
        ClassWeightedCELoss(**kwargs)
