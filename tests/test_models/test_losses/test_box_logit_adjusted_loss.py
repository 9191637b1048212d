import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import BoxLogitAdjustedLoss
from mmlt.models.posthoc.checks import adjusting_losses

C = 4
INSTANCES = [2000, 200, 40, 1]
STATS = ClassStats([100, 30, 7, 1], INSTANCES, 110)


def make_batch():
    torch.manual_seed(0)
    return torch.randn(8, C).double(), torch.arange(8) % (C + 1)


def test_equals_the_formula():
    loss = BoxLogitAdjustedLoss(C, tau=0.7, class_stats=STATS).double()
    scores, labels = make_batch()
    expected = 0.0
    for row, label in zip(scores, labels, strict=True):
        for j in range(C):
            shift = math.log(INSTANCES[j] / (sum(INSTANCES) / C))
            p = 1 / (1 + math.exp(-float(row[j]) - 0.7 * shift))
            expected -= math.log(p if label == j else 1 - p)
    value = float(loss(scores, labels))
    assert value == pytest.approx(expected / 8, rel=1e-6)


def test_value_by_hand():
    """Counts 3 and 1: offsets of log 3/2 and log 1/2 at z = 0."""
    loss = BoxLogitAdjustedLoss(2, class_stats=[3, 1])
    value = loss(torch.zeros(1, 2), torch.tensor([1]))
    expected = -math.log(1 - 0.6) - math.log(1 / 3)
    assert_close(value, torch.tensor(expected))


@pytest.mark.parametrize(
    'kwargs', [dict(tau=0.0, class_stats=STATS), dict(class_stats=[7] * C)]
)
def test_is_binary_cross_entropy_without_tau_or_imbalance(kwargs):
    scores, labels = make_batch()
    target = F.one_hot(labels, C + 1)[:, :-1].double()
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction='sum'
    )
    value = BoxLogitAdjustedLoss(C, **kwargs)(scores, labels)
    assert_close(value, expected / 8)


def test_learns_the_likelihood_ratio_and_the_share_of_the_foreground():
    """The z of least loss, of anchors that all look alike."""
    count = torch.tensor([30, 10])
    labels = torch.repeat_interleave(
        torch.arange(3), torch.tensor([30, 10, 3960])
    )
    loss = BoxLogitAdjustedLoss(2, class_stats=count.tolist()).double()
    z = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [z], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15,
        line_search_fn='strong_wolfe',
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        value = loss(z.expand(len(labels), 2), labels)
        value.backward()
        return value

    optimizer.step(closure)
    odds = count / (4000 - count)
    assert_close(z.detach(), (odds / (count / 20)).log().double())
    # About the same for both, though one has three times as many.
    assert_close(z[0], z[1], rtol=0, atol=0.01)


def test_posthoc_adjustment_knows_it():
    model = torch.nn.ModuleDict({'a': BoxLogitAdjustedLoss(C)})
    assert list(adjusting_losses(model)) == ['a']
    model = torch.nn.ModuleDict({'a': BoxLogitAdjustedLoss(C, tau=0.0)})
    assert not adjusting_losses(model)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r'tau .* nan'):
        BoxLogitAdjustedLoss(C, tau=math.nan)
    with pytest.raises(ValueError, match='no training instance'):
        BoxLogitAdjustedLoss(C, class_stats=[1, 2, 3, 0])
