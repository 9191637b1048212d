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
