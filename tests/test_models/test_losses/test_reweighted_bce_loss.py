import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import ReweightedBCELoss

STATS = ClassStats([16, 4, 1, 0], None, 20)
TARGET = torch.tensor([[1.0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]])


@pytest.mark.parametrize(
    ('power', 'weight'),
    [
        (0, [1.0, 1.0, 1.0, 1.0]),
        (0.5, [0.25, 0.5, 1.0, 1.0]),  # an empty class counts one image
        (1, [0.0625, 0.25, 1.0, 1.0]),
    ],
)
def test_equals_weighted_bce(power, weight):
    scores = torch.randn(3, 4, requires_grad=True)
    weight = torch.tensor(weight)
    weight = weight * 4 / weight.sum()
    value = ReweightedBCELoss(power, class_stats=STATS)(scores, TARGET)
    expected = F.binary_cross_entropy_with_logits(scores, TARGET, weight)
    assert_close(value, expected)
    assert_close(
        torch.autograd.grad(value, scores),
        torch.autograd.grad(expected, scores),
    )


@pytest.mark.parametrize('power', [-0.5, float('nan'), float('inf')])
def test_bad_power(power):
    with pytest.raises(ValueError, match='power must be finite and >= 0'):
        ReweightedBCELoss(power)
