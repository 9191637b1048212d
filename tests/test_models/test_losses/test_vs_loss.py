import math

import pytest
import torch
from torch.testing import assert_close

from mmlt.models.losses import LogitAdjustedLoss, VSLoss

COUNTS = [100, 30, 7, 1]


@pytest.mark.parametrize(('gamma', 'tau'), [(0.15, 1.25), (0.2, 0.0)])
def test_equals_naive_loop(gamma, tau):
    scores = torch.randn(12, 4, dtype=torch.float64) * 3
    target = torch.arange(12) % 4
    expected = []
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        moved = [
            z * (n / 100) ** gamma + tau * math.log(n / 138)
            for z, n in zip(row, COUNTS, strict=True)
        ]
        expected.append(math.log(sum(map(math.exp, moved))) - moved[label])
    loss = VSLoss(gamma, tau, class_stats=COUNTS, reduction='none').double()
    loss.on_class_stats(loss.class_stats)  # in float64
    assert_close(
        loss(scores, target), torch.tensor(expected, dtype=torch.float64),
        atol=1e-6, rtol=0,
    )  # fmt: skip


@pytest.mark.parametrize('columns', [4, 5])
def test_gamma_zero_is_the_logit_adjusted_loss(columns):
    scores, target = torch.randn(6, columns), torch.randint(0, columns, (6,))
    loss = VSLoss(gamma=0, tau=0.7, class_stats=COUNTS)
    expected = LogitAdjustedLoss(tau=0.7, class_stats=COUNTS)
    assert_close(loss(scores, target), expected(scores, target))


@pytest.mark.parametrize(
    ('kwargs', 'error'),
    [
        (dict(gamma=-1), ValueError),
        (dict(tau=math.nan), ValueError),
        (dict(tau='1'), TypeError),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error):
    with pytest.raises(error, match=next(iter(kwargs))):
        VSLoss(**kwargs)
