import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from torch import nn

import mmlt  # noqa: F401
from mmlt.models.classifiers.mix import Mix
from mmlt.models.stages import find_stages

# How many stages, and the side of the image.
BACKBONES = [
    (dict(type='mmlt.CIFARResNet', depth=20), 3, 32),
    (dict(type='ResNet', depth=18), 4, 32),
    (dict(type='RegNet', arch='regnetx_400mf'), 4, 32),
    (dict(type='MobileNetV2'), 8, 32),
    (dict(type='ShuffleNetV2'), 4, 32),
    (dict(type='EfficientNet', arch='b0'), 7, 32),
    (dict(type='DenseNet', arch='121'), 4, 32),
    (dict(type='RepVGG', arch='A0'), 4, 32),
    (dict(type='CSPResNet', depth=50), 4, 64),
    (dict(type='ConvNeXt', arch='atto'), 4, 32),
    (dict(type='PoolFormer', arch='s12'), 7, 32),
    (dict(type='PCPVT', arch='small'), 4, 64),
    (dict(type='VisionTransformer', arch='deit-tiny', img_size=32), 12, 32),
    (dict(type='SwinTransformer', arch='tiny', pad_small_map=True), 4, 64),
]


def classifier(backbone, places):
    return MODELS.build(
        dict(
            type='mmlt.ManifoldMixupClassifier',
            backbone=backbone,
            head=dict(type='LinearClsHead', num_classes=3, in_channels=8),
            places=places,
        )
    ).eval()


@torch.no_grad()
def check_all_places(model, size):
    """With a lambda of 0, features are those of the partners."""
    images = torch.randn(3, 3, size, size).double()
    partner = torch.tensor([2, 0, 1])
    plain = model.double().extract_feat(images)[-1]
    # Fresh weights make little of the images.
    difference = (plain[partner] - plain).abs().max()
    for place in model.places:
        mix = Mix(place, torch.tensor(0.0), partner)
        mixed = model.mixed_features(mix, images)[-1]
        assert (plain[partner] - mixed).abs().max() < 1e-3 * difference


@pytest.mark.parametrize(
    ('backbone', 'number', 'size'), BACKBONES, ids=lambda x: str(x)[:30]
)
def test_activations_are_mixed_after_any_stage(backbone, number, size):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        built = MODELS.build(backbone)
        assert len(find_stages(built)) == number
        model = classifier(built, ['input', *range(1, number + 1)])
        check_all_places(model, size)


@pytest.mark.parametrize(
    ('backbone', 'names'),
    [
        (dict(type='VAN', arch='tiny'), ['blocks1.2', 'norm3']),
        (dict(type='HRNet', arch='w18'), ['layer1', 'stage2']),
        (dict(type='VGG', depth=11), ['features.2']),
    ],
)
def test_any_module_is_a_place_by_name(backbone, names):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        check_all_places(classifier(backbone, names), size=64)


def test_no_stages():
    assert find_stages(nn.Identity()) == []
    # EfficientFormer has numbers of blocks in `layers`.
    backbone = nn.Sequential(nn.Conv2d(3, 4, 1))
    backbone.layers = [3, 2]
    assert find_stages(backbone) == []
