import pytest
import torch
from mmpretrain.models.backbones import EfficientNet
from mmpretrain.models.utils import SELayer
from mmpretrain.registry import MODELS
from torch import nn

from mmlt.models.backbones import EfficientNetLite0


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_it_is_b0_without_squeeze_and_with_relu6():
    model = EfficientNetLite0()
    assert parameters(model) == 3_371_008
    assert count(model, SELayer) == 0
    assert count(model, nn.ReLU6) == 33  # stem, 15 + 16 in blocks, last
    b0 = EfficientNet('b0')
    squeeze = sum(
        parameters(module)
        for module in b0.modules()
        if isinstance(module, SELayer)
    )
    assert parameters(model) == parameters(b0) - squeeze
    assert count(b0, SELayer) == 16  # the settings of MMPretrain stay


def test_maps():
    model = MODELS.build(dict(type='mmlt.EfficientNetLite0'))
    model.eval()
    (maps,) = model(torch.randn(2, 3, 64, 96))
    assert maps.shape == (2, 1280, 2, 3)
    assert maps.min() >= 0
    assert maps.max() <= 6


def test_frozen_stages():
    model = EfficientNetLite0(frozen_stages=7)
    model.train()
    assert not any(p.requires_grad for p in model.parameters())
    with pytest.raises(ValueError, match='frozen_stages must be in'):
        EfficientNetLite0(frozen_stages=8)


@pytest.mark.parametrize('begin', ['layers.5.4', 'layers.6', 'layers.2.1'])
def test_rest_of_the_network(begin):
    """On the maps before a module; weights of the whole network fit."""
    whole = EfficientNetLite0()
    whole.eval()
    inputs = []
    whole.get_submodule(begin).register_forward_pre_hook(
        lambda _, args: inputs.append(args[0])
    )
    with torch.no_grad():
        (expected,) = whole(torch.randn(2, 3, 64, 64))
        rest = EfficientNetLite0(begin=begin, frozen_stages=1)
        unknown = rest.load_state_dict(whole.state_dict(), strict=False)
        rest.eval()
        (maps,) = rest(*inputs)
    torch.testing.assert_close(maps, expected, atol=0, rtol=0)
    assert not unknown.missing_keys
    names = list(whole.state_dict())
    first = next(k for k, n in enumerate(names) if n.startswith(f'{begin}.'))
    assert list(rest.state_dict()) == names[first:]


@pytest.mark.parametrize('begin', ['layers.7', 'stage5', ''])
def test_begin_that_is_no_module(begin):
    with pytest.raises(ValueError, match='begin must be the name of a module'):
        EfficientNetLite0(begin=begin)


def test_weights_of_the_package():
    """Where it is installed: the same maps as those of its own network."""
    networks = pytest.importorskip('efficientnet_lite_pytorch')
    theirs = networks.EfficientNet.from_name('efficientnet-lite0').eval()
    ours = EfficientNetLite0()
    ours.eval()
    weights = theirs.state_dict()
    body = [weights[key] for key in weights if not key.startswith('_fc')]
    ours.load_state_dict(dict(zip(ours.state_dict(), body, strict=True)))
    images = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs.extract_features(images)
        torch.testing.assert_close(ours(images)[0], expected)
