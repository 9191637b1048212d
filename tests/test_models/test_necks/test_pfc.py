import pytest
import torch
from mmengine.registry import MODELS
from torch.testing import assert_close

from mmlt.models.necks import PFC


def test_is_linear_norm_relu_dropout():
    neck = PFC(6, 4).eval()
    features = torch.randn(3, 6)
    (out,) = neck(features)
    expected = (features @ neck.fc.weight.t() + neck.fc.bias).relu()
    # Fresh batch norm in evaluation divides by sqrt(1 + eps).
    assert_close(out, expected / (1 + 1e-5) ** 0.5)
    kept = PFC(6, 400, dropout=0.5).train()(torch.randn(64, 6))[0]
    # ReLU leaves a half, dropout a half of that.
    assert 0.2 < (kept > 0).float().mean() < 0.3


def test_pools_the_last_stage():
    neck = PFC(6, 4).eval()
    maps = torch.randn(3, 6, 5, 7)
    (expected,) = neck(maps.mean((2, 3)))
    assert_close(neck((torch.randn(3, 9, 9, 9), maps))[0], expected)


def test_builds_from_config_and_backpropagates():
    neck = MODELS.build(dict(type='mmlt.PFC', in_channels=6, out_channels=4))
    neck((torch.randn(3, 6, 2, 2),))[0].sum().backward()
    assert neck.fc.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ('wrong', 'match'),
    [
        (dict(in_channels=0), 'in_channels must be >= 1, got 0'),
        (dict(in_channels=6, out_channels=0), 'out_channels'),
        (dict(in_channels=6, dropout=1.5), r'dropout must be in \[0, 1\]'),
    ],
)
def test_bad_argument(wrong, match):
    with pytest.raises(ValueError, match=match):
        PFC(**wrong)


def test_bad_features():
    with pytest.raises(ValueError, match=r'\(3, 5\).*in_channels is 6'):
        PFC(6)(torch.zeros(3, 5))


def test_the_published_neck():
    """Linear, batch norm and dropout; Kaiming by the fan out, no ReLU."""
    neck = PFC(
        6, 2000, relu=False, init_cfg=dict(type='Kaiming', layer='Linear')
    )
    neck.init_weights()
    features = torch.randn(3, 6)
    (out,) = neck.eval()(features)
    assert_close(out, features @ neck.fc.weight.t() / (1 + 1e-5) ** 0.5)
    assert (out < 0).any()
    # sqrt(2 / fan out); the default of PyTorch is sqrt(1 / (3 * 6))
    assert 0.9 < neck.fc.weight.std() / (2 / 2000) ** 0.5 < 1.1
    assert not neck.fc.bias.any()
    assert neck.state_dict().keys() == PFC(6, 4).state_dict().keys()
    with pytest.raises(TypeError, match='relu must be True or False'):
        PFC(6, relu=None)
