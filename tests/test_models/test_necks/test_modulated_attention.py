"""The attention beside a computation place by place."""

import pytest
import torch
from mmengine.registry import MODELS
from torch.testing import assert_close

from mmlt.models.necks import ModulatedAttention

D, S = 4, 3


def make():
    torch.manual_seed(0)
    neck = ModulatedAttention(D, S).double()
    for parameter in neck.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return neck


def literal(neck, x):
    """One image (D, S, S), place by place."""
    block = neck.attention
    places = x.flatten(1).T

    def project(layer, place):
        return layer.conv.weight.flatten(1) @ place + layer.conv.bias

    z = [
        w @ x.flatten() + b
        for w, b in zip(neck.places.weight, neck.places.bias, strict=True)
    ]
    z = torch.stack(z)
    spatial = z.exp() / z.exp().sum()
    result = []
    for index, place in enumerate(places):
        similar = torch.stack(
            [project(block.theta, place) @ project(block.phi, other)
             for other in places]
        )  # fmt: skip
        similar = similar.exp() / similar.exp().sum()
        y = sum(
            s * project(block.g, other)
            for s, other in zip(similar, places, strict=True)
        )
        result.append(place + spatial[index] * project(block.conv_out, y))
    return torch.stack(result).T.view(D, S, S)


def test_it_is_literal():
    neck = make()
    x = torch.randn(2, D, S, S, dtype=torch.float64)
    (got,) = neck((x,))
    expected = torch.stack([literal(neck, each) for each in x])
    assert_close(got, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(got, x, atol=1e-2)
    assert_close(neck(x)[0], got)


def test_gradcheck():
    x = torch.randn(2, D, S, S, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: make()((x,))[0], x)


def test_it_starts_as_the_identity():
    neck = MODELS.build(
        dict(type='mmlt.ModulatedAttention', in_channels=D, size=S)
    )
    neck.init_weights()
    x = torch.randn(2, D, S, S)
    assert neck((x,))[0].equal(x)


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    neck = make().float()
    x = torch.randn(2, D, S, S)
    with torch.autocast('cpu', dtype):
        (got,) = neck((x,))
    assert_close(got.float(), neck((x,))[0], rtol=0.05, atol=0.05)


def test_another_shape():
    with pytest.raises(ValueError, match=r'size=3 want \(B, 4, 3, 3\)'):
        make()((torch.randn(2, D, 1, 1, dtype=torch.float64),))
    with pytest.raises(ValueError, match='in_channels=4'):
        make()((torch.randn(2, 8, S, S, dtype=torch.float64),))


def test_bad_arguments():
    with pytest.raises(ValueError, match='size must be >= 1'):
        ModulatedAttention(D, 0)
    with pytest.raises(TypeError, match='in_channels must be a whole'):
        ModulatedAttention(4.0)
    with pytest.raises(ValueError, match='reduction=8 leaves none'):
        ModulatedAttention(D, S, reduction=8)
