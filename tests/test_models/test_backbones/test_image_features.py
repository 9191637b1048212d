import pytest
import torch
from mmengine.registry import MODELS


def build(**kwargs):
    return MODELS.build(dict(type='mmlt.ImageFeatures', **kwargs))


def test_hands_features_on():
    model = build(in_channels=4)
    features = torch.randn(3, 4)
    (stage,) = model(features)
    assert stage is features
    assert not model.state_dict()
    (stage,) = model(torch.randn(2, 1, 5, 4))
    assert stage.shape == (2, 1, 5, 4)


@pytest.mark.parametrize('shape', [(3, 5), (3, 4, 1, 1), (4,)])
def test_width(shape):
    with pytest.raises(ValueError, match='in_channels of ImageFeatures is 4'):
        build(in_channels=4)(torch.randn(shape))


def test_bad_arguments():
    with pytest.raises(ValueError, match='in_channels must be >= 1'):
        build(in_channels=0)
