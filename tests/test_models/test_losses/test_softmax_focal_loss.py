import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.models.losses import SoftmaxFocalLoss


@pytest.mark.parametrize('gamma', [0.0, 0.5, 1.0, 2.0])
def test_equals_naive_loop(gamma):
    scores = torch.randn(12, 4, dtype=torch.float64) * 3
    target = torch.arange(12) % 4
    expected = []
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        p = math.exp(row[label]) / sum(map(math.exp, row))
        expected.append((1 - p) ** gamma * -math.log(p))
    loss = SoftmaxFocalLoss(gamma, reduction='none')
    assert_close(
        loss(scores, target), torch.tensor(expected, dtype=torch.float64),
        atol=1e-6, rtol=0,
    )  # fmt: skip


def test_gamma_zero_is_cross_entropy():
    scores, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    loss = SoftmaxFocalLoss(gamma=0)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


def test_value_by_hand():
    # p = 1/4: (3/4)^2 log 4.
    value = SoftmaxFocalLoss()(torch.zeros(1, 4), torch.tensor([2]))
    assert_close(value, torch.tensor(9 / 16 * math.log(4)))


@pytest.mark.parametrize(
    ('gamma', 'error'),
    [(-1, ValueError), (math.inf, ValueError), ('2', TypeError)],
)
def test_wrong_gamma_is_refused(gamma, error):
    with pytest.raises(error, match='gamma'):
        SoftmaxFocalLoss(gamma)
