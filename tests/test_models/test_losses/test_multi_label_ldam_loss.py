import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import MultiLabelLDAMLoss

STATS = ClassStats([81, 16, 1, 0], None, 90)
TARGET = torch.tensor([[1.0, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize('scale', [1.0, 30.0])
def test_equals_bce_of_lowered_logits(scale):
    scores = torch.rand(3, 4, requires_grad=True)
    margin = torch.tensor([0.5 / 3, 0.5 / 2, 0.5, 0.5])
    loss = MultiLabelLDAMLoss(scale=scale, class_stats=STATS)
    value = loss(scores, TARGET)
    expected = F.binary_cross_entropy_with_logits(
        scale * (scores - margin * TARGET), TARGET
    )
    assert_close(value, expected)
    assert_close(
        torch.autograd.grad(value, scores),
        torch.autograd.grad(expected, scores),
    )


@pytest.mark.parametrize(
    ('wrong', 'match'),
    [
        (dict(max_margin=-0.5), 'max_margin must be finite and >= 0'),
        (dict(scale=0.0), 'scale must be finite and > 0'),
    ],
)
def test_bad_argument(wrong, match):
    with pytest.raises(ValueError, match=match):
        MultiLabelLDAMLoss(**wrong)


def literal(scores, target, weight, scale):
    """One label of one image after the other."""
    margin = [0.5 * max(n, 1) ** -0.25 for n in (81, 16, 1, 0)]
    total = 0.0
    for row, labels in zip(scores.tolist(), target.tolist(), strict=True):
        for k, (z, y) in enumerate(zip(row, labels, strict=True)):
            z = scale * (z - margin[k] * y)
            total += weight[k] * (math.log1p(math.exp(z)) - y * z)
    return total / target.numel()


@pytest.mark.parametrize(
    ('kind', 'weight'),
    [
        ('inverse', [1 / 81, 1 / 16, 1, 1]),
        ('inverse_sqrt', [1 / 9, 1 / 4, 1, 1]),
        ('effective_number', [0.1 / (1 - 0.9**n) for n in (81, 16, 1, 1)]),
    ],
)
def test_weighs_classes(kind, weight):
    """An image without labels and a class without images among them."""
    scores = torch.randn(3, 4, dtype=torch.float64)
    target = torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 1, 1]])
    weight = [4 * each / sum(weight) for each in weight]
    loss = MultiLabelLDAMLoss(
        scale=2.0, class_weight=kind, beta=0.9, class_stats=STATS
    )
    value = loss(scores, target).item()
    assert value == pytest.approx(literal(scores, target, weight, 2), abs=1e-6)
    # Until the hook says so, there are none.
    assert loss.can_defer
    loss.reweights.fill_(False)
    value = loss(scores, target).item()
    assert value == pytest.approx(literal(scores, target, [1] * 4, 2), 1e-6)


def test_takes_numbers_as_they_are():
    scores, target = torch.randn(3, 4), TARGET
    loss = MultiLabelLDAMLoss(class_weight=[0, 3, 0.5, 1], class_stats=STATS)
    plain = MultiLabelLDAMLoss(class_stats=STATS, reduction='none')
    weight = torch.tensor([0, 3, 0.5, 1])
    assert_close(loss(scores, target), (plain(scores, target) * weight).mean())
    assert not plain.can_defer


def test_gradient():
    loss = MultiLabelLDAMLoss(
        scale=1.0, class_weight='effective_number', class_stats=STATS
    )
    scores = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, TARGET), (scores,))


@pytest.mark.parametrize(
    ('wrong', 'error', 'match'),
    [
        (dict(class_weight='inverted'), ValueError, 'class_weight must be'),
        (dict(class_weight=3), TypeError, 'class_weight must be'),
        (dict(class_weight=[1, 2]), ValueError, 'class_weight has 2 numbers'),
        (dict(beta=1.0), ValueError, r'beta must be in \[0, 1\)'),
    ],
)
def test_bad_weights(wrong, error, match):
    with pytest.raises(error, match=match):
        MultiLabelLDAMLoss(**wrong, class_stats=STATS)
