import pytest
import torch
from mmpretrain.registry import MODELS
from torch import nn

from mmlt.models.backbones.cifar_resnet import CIFARResNet, ZeroPadShortcut


@pytest.mark.parametrize(
    ('depth', 'millions'),
    [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.73)],
)
def test_parameters_with_a_ten_class_layer(depth, millions):
    # The sizes in table 6 of the ResNet paper.
    model = nn.ModuleList([CIFARResNet(depth), nn.Linear(64, 10)])
    count = sum(p.numel() for p in model.parameters())
    assert round(count / 1e6, 2) == millions


def test_depth_counts_the_weighted_layers():
    model = CIFARResNet(32)
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) + 1 == 32
    assert all(conv.kernel_size == (3, 3) for conv in convs)


def test_shortcut_subsamples_and_pads_zeros():
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    out = ZeroPadShortcut(2, 4, stride=2)(x)
    expected = torch.zeros(1, 4, 2, 2)
    expected[0, 1] = torch.tensor([[0.0, 2.0], [8.0, 10.0]])
    expected[0, 2] = torch.tensor([[16.0, 18.0], [24.0, 26.0]])
    torch.testing.assert_close(out, expected)


def test_returns_a_tuple_of_the_chosen_stages():
    config = dict(
        type='mmlt.CIFARResNet', depth=20, in_channels=1, out_indices=(0, 1, 2)
    )
    outs = MODELS.build(config)(torch.rand(2, 1, 28, 28))
    assert isinstance(outs, tuple)
    assert [tuple(out.shape) for out in outs] == [
        (2, 16, 28, 28),
        (2, 32, 14, 14),
        (2, 64, 7, 7),
    ]


def test_initialisation_is_he_with_fan_in():
    torch.manual_seed(0)
    model = CIFARResNet(20, base_channels=64)
    model.init_weights()
    weight = model.layer2[0].conv1.weight  # 64 -> 128 channels
    expected = (2 / (64 * 9)) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)
    assert all(
        bool((m.weight == 1).all())
        for m in model.modules()
        if isinstance(m, nn.BatchNorm2d)
    )


def test_frozen_stages_do_not_train():
    model = CIFARResNet(20, frozen_stages=1)
    model.train()
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert {name.split('.')[0] for name in frozen} == {
        'conv1',
        'bn1',
        'layer1',
    }
    assert not model.layer1[0].bn1.training
    assert model.layer2[0].bn1.training


@pytest.mark.parametrize(
    ('argument', 'value'),
    [
        ('depth', 18),
        ('out_indices', (3,)),
        ('out_indices', ()),
        ('frozen_stages', 4),
    ],
)
def test_bad_arguments(argument, value):
    with pytest.raises(ValueError, match=f'{argument} must'):
        CIFARResNet(**{'depth': 20, argument: value})
