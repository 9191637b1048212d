import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.models.losses import LDAMLoss

COUNTS = [100, 30, 7, 1]


def naive(scores, target, max_margin, scale):
    """CE(s (z - m_y e_y), y), one sample at a time."""
    largest = max(n**-0.25 for n in COUNTS)
    losses = []
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        margin = COUNTS[label] ** -0.25 * max_margin / largest
        moved = [
            scale * (z - margin * (k == label)) for k, z in enumerate(row)
        ]
        normaliser = math.log(sum(math.exp(z) for z in moved))
        losses.append(normaliser - moved[label])
    return torch.tensor(losses, dtype=torch.float64)


@pytest.mark.parametrize(('max_margin', 'scale'), [(0.5, 30.0), (0.3, 1.0)])
def test_equals_naive_loop(max_margin, scale):
    scores = torch.rand(12, 4, dtype=torch.float64) * 2 - 1
    target = torch.arange(12) % 4
    loss = LDAMLoss(
        max_margin, scale, class_stats=COUNTS, reduction='none'
    ).double()
    loss.on_class_stats(loss.class_stats)  # in float64
    assert_close(
        loss(scores, target), naive(scores, target, max_margin, scale),
        atol=1e-6, rtol=0,
    )  # fmt: skip


def test_without_margin_is_cross_entropy():
    scores, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    loss = LDAMLoss(max_margin=0, scale=2, class_stats=COUNTS)
    assert_close(loss(scores, target), F.cross_entropy(2 * scores, target))


def test_value_by_hand():
    # Counts 16 and 1: margins 1/4 and 1/2; log(1 + e^m), label 0.
    loss = LDAMLoss(0.5, 1.0, class_stats=[16, 1])
    value = loss(torch.zeros(1, 2), torch.tensor([0]))
    assert_close(value, torch.tensor(math.log1p(math.exp(0.25))))


@pytest.mark.parametrize(
    ('kwargs', 'error'),
    [
        (dict(max_margin=-0.1), ValueError),
        (dict(max_margin=math.inf), ValueError),
        (dict(scale=0), ValueError),
        (dict(scale=True), TypeError),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error):
    with pytest.raises(error, match=next(iter(kwargs))):
        LDAMLoss(**kwargs)
