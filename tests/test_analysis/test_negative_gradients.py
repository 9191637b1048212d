import pytest
import torch
from torch.testing import assert_close

from mmlt.analysis.negative_gradients import (
    draw_negative_gradients,
    negative_gradient,
)

LOGITS = torch.linspace(-5, 5, 11, dtype=torch.float64)


@pytest.mark.parametrize(
    ('loss', 'scale', 'bias'),
    [('ce', 1.0, 0.0), ('bce', 1.0, 0.0), ('ntr', 5.0, -0.3)],
)
def test_closed_forms(loss, scale, bias):
    # Softmax of (0, z) and sigmoid of z are the same function.
    gradient = negative_gradient(LOGITS, loss, scale, bias)
    assert_close(gradient, (scale * (LOGITS + bias)).sigmoid())


def test_cross_entropy_spares_negatives_of_a_clear_positive():
    gradient = negative_gradient(LOGITS, 'ce', positive=3.0)
    assert_close(gradient, (LOGITS - 3).sigmoid())


def test_unknown_loss():
    with pytest.raises(ValueError, match="got 'focal'"):
        negative_gradient(LOGITS, 'focal')


def test_figure(tmp_path):
    path = tmp_path / 'figure.png'
    draw_negative_gradients(path)
    assert path.stat().st_size > 5000
