import copy

import pytest
import torch
from mmengine.runner import load_checkpoint
from mmpretrain.registry import MODELS

from mmlt.models import BilateralBackbone

TINY = dict(type='mmlt.CIFARResNet', depth=20, base_channels=4)
FAMILY = [
    dict(type='ResNet', depth=18),
    dict(type='ResNet_CIFAR', depth=18, base_channels=16, stem_channels=16),
    dict(type='ResNetV1c', depth=18),
    dict(type='ResNeXt', depth=50),
    dict(type='SEResNet', depth=50),
    dict(type='Res2Net', depth=50),
    dict(type='ResNeSt', depth=50),
    dict(type='RegNet', arch='regnetx_400mf'),
    TINY,
]


@pytest.mark.parametrize('backbone', FAMILY, ids=lambda cfg: cfg['type'])
def test_family_loads_a_plain_checkpoint_into_both_branches(backbone):
    plain = MODELS.build(backbone)
    plain.eval()  # returns None in MMPretrain
    model = BilateralBackbone(backbone).eval()
    model.load_state_dict(plain.state_dict(), strict=True)
    x = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = plain(x)[-1]
        conventional, rebalancing = model(x)
    torch.testing.assert_close(conventional, expected)
    torch.testing.assert_close(rebalancing, expected)


def test_only_the_last_block_is_doubled():
    plain = MODELS.build(TINY)
    model = BilateralBackbone(TINY)
    extra = sum(p.numel() for p in plain.layer3[-1].parameters())
    count = sum(p.numel() for p in plain.parameters())
    assert sum(p.numel() for p in model.parameters()) == count + extra
    assert model.branches is model.trunk.layer3[-1]


def test_branches_start_different():
    torch.manual_seed(0)
    model = BilateralBackbone(TINY)
    for _ in range(2):  # as built, and as initialised
        branches = model.branches
        assert not torch.equal(
            branches.conventional.conv1.weight,
            branches.rebalancing.conv1.weight,
        )
        model.init_weights()


def test_initialisation_reaches_both_branches():
    model = BilateralBackbone(dict(TINY, zero_init_residual=True))
    model.init_weights()
    for branch in model.branches.children():
        assert not branch.bn2.weight.any()
        assert branch.bn1.weight.all()


@pytest.mark.parametrize('where', ['inside', 'outside', 'load_from'])
def test_pretrained_classifier(tmp_path, where):
    plain = MODELS.build(TINY)
    plain.init_weights()
    weights = {f'backbone.{k}': v for k, v in plain.state_dict().items()}
    weights['head.fc.weight'] = torch.rand(3, 16)
    path = str(tmp_path / 'plain.pth')
    torch.save(dict(state_dict=weights), path)
    init_cfg = dict(type='Pretrained', checkpoint=path, prefix='backbone.')

    if where == 'inside':
        model = BilateralBackbone(dict(TINY, init_cfg=init_cfg))
        model.init_weights()
    elif where == 'outside':
        model = BilateralBackbone(TINY, init_cfg=init_cfg)
        model.init_weights()
    else:
        classifier = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='mmlt.BilateralBackbone', backbone=TINY),
            )
        )
        load_checkpoint(classifier, path)
        model = classifier.backbone

    expected = plain.state_dict()
    for name, value in model.trunk.state_dict().items():
        name = name.replace('.conventional', '').replace('.rebalancing', '')
        torch.testing.assert_close(value, expected[name])


def test_own_checkpoint_round_trip():
    model, other = BilateralBackbone(TINY), BilateralBackbone(TINY)
    other.load_state_dict(model.state_dict(), strict=True)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name])


def test_pair_sends_each_batch_through_its_branch():
    model = BilateralBackbone(dict(TINY, out_indices=(1, 2))).eval()
    x_c, x_r = torch.rand(2, 3, 3, 16, 16).unbind()
    stage, f_c, f_r = model((x_c, x_r))
    torch.testing.assert_close(f_c, model(x_c)[1])
    torch.testing.assert_close(f_r, model(x_r)[2])
    torch.testing.assert_close(stage, model(torch.cat([x_c, x_r]))[0])


def test_batch_norm_statistics_are_per_branch():
    model = BilateralBackbone(TINY).train()
    trunk = copy.deepcopy(model.trunk)
    x_c, x_r = torch.rand(4, 3, 16, 16), 5 + torch.rand(4, 3, 16, 16)
    model((x_c, x_r))

    shared_c, shared_r = trunk(x_c)[0], trunk(x_r)[0]
    block = trunk.layer3[-1]
    block.conventional(shared_c)
    block.rebalancing(shared_r)
    for name, value in trunk.named_buffers():
        torch.testing.assert_close(model.trunk.get_buffer(name), value)
    assert model.trunk.bn1.num_batches_tracked == 2
    assert model.branches.conventional.bn1.num_batches_tracked == 1


def test_norm_eval_holds_in_the_branches():
    model = BilateralBackbone(dict(TINY, norm_eval=True)).train()
    assert not model.branches.rebalancing.bn2.training


@pytest.mark.parametrize(
    'backbone',
    [dict(type='MobileNetV2'), dict(type='VGG', depth=11)],
    ids=lambda cfg: cfg['type'],
)
def test_backbone_without_residual_stages(backbone):
    with pytest.raises(TypeError, match='no last residual block'):
        BilateralBackbone(backbone)


def test_backbone_must_be_a_config():
    with pytest.raises(TypeError, match='backbone must be the config'):
        BilateralBackbone(MODELS.build(TINY))


@pytest.mark.parametrize(
    ('argument', 'value'), [('out_indices', (1,)), ('frozen_stages', 3)]
)
def test_last_stage_must_be_returned_and_trained(argument, value):
    with pytest.raises(ValueError, match=argument):
        BilateralBackbone(dict(TINY, **{argument: value}))
