import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    DistributionBalancedLoss,
    MultiLabelLogitAdjustedLoss,
)
from mmlt.models.posthoc.checks import adjusting_losses

# The fourth class has no image, the fifth is in all.
COUNTS, N = [60, 9, 1, 0, 90], 90
STATS = ClassStats(COUNTS, None, N)
# An image without labels, and one whose second label is not known.
TARGET = torch.tensor([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [0, -1, 1, 1, 1]])


def literal(scores, target, tau):
    """One label of one image after the other."""
    total = 0.0
    for row, labels in zip(scores.tolist(), target.tolist(), strict=True):
        for k, (z, y) in enumerate(zip(row, labels, strict=True)):
            if y < 0:
                continue
            n = min(max(COUNTS[k], 1), N - 1)
            z += tau * math.log(n / (N - n))
            p = 1 / (1 + math.exp(-z))
            total -= math.log(p if y else 1 - p)
    return total / target.numel()


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0])
def test_equals_one_label_after_the_other(tau):
    scores = torch.randn(3, 5, dtype=torch.float64)
    expected = literal(scores, TARGET, tau)
    # The table is made in the precision of the module.
    loss = MultiLabelLogitAdjustedLoss(tau).double()
    loss.set_class_stats(STATS)
    assert loss(scores, TARGET).item() == pytest.approx(expected, abs=1e-6)


def test_without_tau_it_is_bce():
    loss = MultiLabelLogitAdjustedLoss(0.0, class_stats=STATS)
    scores = torch.randn(2, 5)
    expected = F.binary_cross_entropy_with_logits(scores, TARGET[:2].float())
    assert_close(loss(scores, TARGET[:2]), expected)


def test_gradient():
    loss = MultiLabelLogitAdjustedLoss(class_stats=STATS)
    scores = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, TARGET), (scores,))


def test_learns_the_ratio_of_likelihoods():
    """Two kinds of images, and classes of different prevalence.

    The optimum of the loss is the log likelihood ratio, whatever the prior:
    where a kind of image is as likely with the label as without, it is 0.
    """
    # (kind, class) -> images with the label, of 100 and 300 images.
    positives = torch.tensor([[50.0, 5.0], [30.0, 15.0]])
    images = torch.tensor([100.0, 300.0])
    n = positives.sum(0)
    stats = ClassStats(n.long().tolist(), None, 400)
    loss = MultiLabelLogitAdjustedLoss(class_stats=stats, reduction='none')
    scores = torch.zeros(2, 2, requires_grad=True)
    optimizer = torch.optim.LBFGS([scores], max_iter=200, tolerance_grad=1e-9)

    def closure():
        optimizer.zero_grad()
        with_label = positives * loss(scores, torch.ones(2, 2))
        rest = images[:, None] - positives
        value = (with_label + rest * loss(scores, torch.zeros(2, 2))).sum()
        value.backward()
        return value

    optimizer.step(closure)
    negatives = images[:, None] - positives
    ratio = (positives / n) / (negatives / negatives.sum(0))
    assert_close(scores.detach(), ratio.log(), atol=1e-3, rtol=1e-3)
    # Images of the first kind are a quarter with and without the label.
    assert abs(scores[0, 1]) < 1e-3


def test_shares_the_log_odds_with_db():
    """Its bias is that of negative-tolerant regularisation, unscaled."""
    db = DistributionBalancedLoss(
        rebalance=None,
        focal=None,
        ntr=dict(scale=1.0, kappa=0.7),
        class_stats=STATS,
    )
    loss = MultiLabelLogitAdjustedLoss(0.7, class_stats=STATS)
    scores = torch.randn(3, 5)
    assert_close(loss(scores, TARGET), db(scores, TARGET))


def test_post_hoc_edits_know_of_it():
    head = torch.nn.Sequential(MultiLabelLogitAdjustedLoss(class_stats=STATS))
    assert list(adjusting_losses(head)) == ['0']


@pytest.mark.parametrize(
    ('tau', 'error'), [(math.inf, ValueError), ('1', TypeError)]
)
def test_bad_tau(tau, error):
    with pytest.raises(error, match='tau must be'):
        MultiLabelLogitAdjustedLoss(tau)
