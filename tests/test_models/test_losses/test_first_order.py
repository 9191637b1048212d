"""Losses with a gradient of their own have no second derivative."""

import pytest
import torch

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    BAGSLoss,
    DistributionBalancedLoss,
    LogitAdjustedLoss,
)

STATS = ClassStats([50, 20, 5], [50, 20, 5], 70)


def make(name):
    if name == 'bags':
        loss = BAGSLoss(3, (10, 30), class_stats=STATS)
        scores = torch.randn(4, loss.get_cls_channels(3))
        return loss, scores, torch.tensor([0, 1, 2, 3])
    if name == 'distribution-balanced':
        loss = DistributionBalancedLoss(class_stats=STATS)
        return loss, torch.randn(4, 3), torch.eye(4, 3)
    loss = LogitAdjustedLoss(class_stats=STATS)
    return loss, torch.randn(4, 3), torch.tensor([0, 1, 2, 0])


@pytest.mark.parametrize(
    'name', ['bags', 'distribution-balanced', 'logit-adjusted']
)
def test_a_graph_of_the_gradient_is_refused(name):
    loss, scores, target = make(name)
    scale = torch.ones((), requires_grad=True)
    value = loss(scale * scores, target)
    if isinstance(value, dict):
        value = sum(value.values())
    (grad,) = torch.autograd.grad(value, scale, retain_graph=True)
    assert grad.isfinite()
    with pytest.raises(RuntimeError, match='no second derivative'):
        torch.autograd.grad(value, scale, create_graph=True)
