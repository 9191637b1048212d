import copy
from collections import Counter

import pytest
import torch
import torch.nn.functional as F
from mmengine.model import ExponentialMovingAverage
from mmpretrain.structures import DataSample
from torch import nn
from torch._dynamo.testing import CompileCounter
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.class_stats import ClassStats
from mmlt.models.classifiers.mix import Mix
from mmlt.models.losses import SoftmaxLoss
from mmlt.registry import MODELS

C, B, WIDTH = 4, 6, 16
STATS = ClassStats.single_label([900, 100, 30, 2])
PLAIN = dict(
    type='ImageClassifier',
    backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=C, in_channels=WIDTH),
)
MIXED = dict(PLAIN, type='mmlt.ManifoldMixupClassifier')
PLACES = ['input', 1, 2, 3, 'layer2.1']
PARTNER = torch.tensor([3, 2, 5, 0, 1, 4])
LOSSES = sorted(
    f'mmlt.{name}'
    for name, loss in MODELS.module_dict.items()
    if isinstance(loss, type) and issubclass(loss, SoftmaxLoss)
)


def build(config=MIXED, **kwargs):
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy({**config, **kwargs}))
    nn.init.normal_(model.head.fc.weight)
    return model


def make_batch(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(B, 3, 8, 8, generator=generator, dtype=dtype)
    labels = torch.tensor([0, 3, 1, 2, 2, 0])
    return images, [DataSample().set_gt_label(label) for label in labels]


def labels_of(samples):
    return torch.cat([sample.gt_label for sample in samples])


def loss_of(model, images, samples):
    return model(images, samples, mode='loss')['loss']


def always(model, monkeypatch, place, lam, partner=None):
    """Let the model draw this."""
    mix = Mix(place, torch.tensor(lam), partner)
    monkeypatch.setattr(model, 'draw', lambda inputs: mix)


def loss_by_hand(model, images, labels, place, lam, partner):
    """Layer by layer, and at the place image by image."""
    pairs = [(i, i + B // 2) for i in range(B // 2)]
    if partner is not None:
        pairs = list(enumerate(partner.tolist()))

    def mixed(x, here):
        if here != place:
            return x
        rows = [lam * x[i] + (1 - lam) * x[j] for i, j in pairs]
        return torch.stack(rows)

    backbone = model.backbone
    x = F.relu(backbone.norm1(backbone.conv1(mixed(images, 'input'))))
    for number in (1, 2, 3):
        for index, block in enumerate(getattr(backbone, f'layer{number}')):
            x = mixed(block(x), f'layer{number}.{index}')
        x = mixed(x, number)
    z = model.head.fc(x.mean(dim=(2, 3)))
    losses = [
        lam * F.cross_entropy(row, labels[i])
        + (1 - lam) * F.cross_entropy(row, labels[j])
        for row, (i, j) in zip(z, pairs, strict=True)
    ]
    return sum(losses) / len(pairs)


@pytest.mark.parametrize('two_samplers', [False, True])
@pytest.mark.parametrize('place', PLACES)
def test_loss_and_gradients_by_hand(place, two_samplers):
    model = build(places=[place], two_samplers=two_samplers).double()
    images, samples = make_batch(torch.float64)
    images.requires_grad_()
    leaves = [images, *model.parameters()]
    torch.manual_seed(5)
    mix = model.draw(images)
    assert (mix.partner is None) == two_samplers
    torch.manual_seed(5)
    loss = loss_of(model, images, samples)
    expected = loss_by_hand(
        model, images, labels_of(samples), place, mix.lam.item(), mix.partner
    )
    assert_close(loss, expected, rtol=1e-9, atol=1e-9)
    gradients = torch.autograd.grad(loss, leaves)
    assert_close(gradients, torch.autograd.grad(expected, leaves))
    # Both of each pair have one.
    assert gradients[0].flatten(1).any(dim=1).all()


@pytest.mark.parametrize('place', PLACES)
def test_lambda_of_one_is_plain_training(place, monkeypatch):
    model, plain = build(places=[place]), build(PLAIN)
    images, samples = make_batch()
    always(model, monkeypatch, place, 1.0, PARTNER)
    losses = [loss_of(each, images, samples) for each in (model, plain)]
    assert_close(*losses)
    for loss in losses:
        loss.backward()
    for one, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert_close(one.grad, other.grad)


def test_draws():
    """All places alike, lambda of Beta(2, 2), permutations of the batch."""
    model = build(places=PLACES)
    images, _ = make_batch()
    torch.manual_seed(0)
    draws = [model.draw(images) for _ in range(5000)]
    number = Counter(mix.place for mix in draws)
    assert set(number) == set(PLACES)
    assert all(abs(each - 1000) < 120 for each in number.values())
    lam = torch.stack([mix.lam for mix in draws])
    assert lam.mean() == pytest.approx(0.5, abs=0.01)
    assert lam.var() == pytest.approx(1 / 20, abs=0.003)
    partners = torch.stack([mix.partner for mix in draws])
    assert (partners.sort(dim=1).values == torch.arange(B)).all()
    assert partners.float().mean(dim=0).sub(2.5).abs().max() < 0.1


@pytest.mark.parametrize('alpha', [1e-12, 1e12])
def test_lambda_stays_in_its_range(alpha):
    model = build(alpha=alpha)
    images, _ = make_batch()
    lam = torch.stack([model.draw(images).lam for _ in range(100)])
    assert ((lam >= 0) & (lam <= 1)).all()


def test_evaluation_is_that_of_the_plain_classifier():
    model, plain = build(), build(PLAIN)
    assert list(model.state_dict()) == list(plain.state_dict())
    images, samples = make_batch()
    loss_of(model, images, samples)
    plain.load_state_dict(model.state_dict())
    model.eval()
    plain.eval()
    state = torch.get_rng_state()
    assert_close(model(images), plain(images), rtol=0, atol=0)
    scores = [
        [sample.pred_score for sample in each(images, samples, mode='predict')]
        for each in (model, plain)
    ]
    assert_close(*scores, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_is_left_after_an_error(monkeypatch):
    model = build(places=[1])
    images, samples = make_batch()

    def fail(x):
        raise RuntimeError('out of memory')

    with monkeypatch.context() as context:
        context.setattr(model.backbone.conv1, 'forward', fail)
        with pytest.raises(RuntimeError, match='memory'):
            loss_of(model, images, samples)
    plain = build(PLAIN).eval()
    assert_close(model.eval()(images), plain(images))


def test_moving_average_mixes_on_its_own(monkeypatch):
    model = build(places=[1])
    images, samples = make_batch()
    average = ExponentialMovingAverage(model).module
    for each in (model, average):
        always(each, monkeypatch, 1, 0.3, PARTNER)
    losses = [loss_of(each, images, samples) for each in (average, model)]
    assert_close(*losses)


@pytest.mark.parametrize('place', ['input', 2])
@pytest.mark.parametrize('name', LOSSES)
def test_every_softmax_loss_takes_mixed_labels(name, place, monkeypatch):
    """As the weighted mean of the losses with either label."""
    head = dict(MIXED['head'], loss=dict(type=name, class_stats=STATS))
    model = build(places=[place], head=head)
    images, samples = make_batch()
    always(model, monkeypatch, place, 0.3, PARTNER)
    loss = loss_of(model, images, samples)
    loss.backward()
    assert all(p.grad.isfinite().all() for p in model.parameters())

    feats = model.mixed_features(model.draw(images), images)
    scores, labels = model.head(feats), labels_of(samples)
    of_a, of_b = (
        model.head.loss_module(scores, target)
        for target in (labels, labels[PARTNER])
    )
    assert_close(loss, 0.3 * of_a + 0.7 * of_b)


@pytest.mark.parametrize('name', LOSSES)
def test_mixup_of_mmpretrain_with_every_softmax_loss(name):
    model = build(
        PLAIN,
        head=dict(PLAIN['head'], loss=dict(type=name, class_stats=STATS)),
        train_cfg=dict(augments=dict(type='Mixup', alpha=1.0)),
        data_preprocessor=dict(num_classes=C, mean=[0.0] * 3, std=[1.0] * 3),
    )
    images, samples = make_batch()
    batch = dict(inputs=list(images), data_samples=samples)
    data = model.data_preprocessor(batch, training=True)
    scores = torch.stack([each.gt_score for each in data['data_samples']])
    assert (scores.max(dim=1).values < 1).any()
    loss = loss_of(model, *data.values())
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('place', ['input', 2])
def test_mixed_precision(place, monkeypatch):
    model = build(places=[place])
    images, samples = make_batch()
    always(model, monkeypatch, place, 0.3, PARTNER)
    exact = loss_of(model, images, samples)
    with torch.autocast('cpu', torch.bfloat16):
        loss = loss_of(model, images, samples)
    loss.backward()
    assert loss.dtype == torch.float32
    assert_close(loss, exact, rtol=0.1, atol=0.1)
    assert all(p.grad.isfinite().all() for p in model.parameters())


class NoWaiting(TorchDispatchMode):
    """Raise for a copy to the device that waits for it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sources = [each for each in args if isinstance(each, torch.Tensor)]
        if isinstance(result, torch.Tensor) and result.is_meta:
            waits = not (kwargs or {}).get('non_blocking')
            # PyTorch hands numbers over as tensors without dimensions.
            copied = [each for each in sources if not each.is_meta]
            if func is torch.ops.aten._to_copy.default:
                assert not (copied and waits), func
            else:
                assert not any(each.dim() for each in copied), func
        return result


@pytest.mark.parametrize('kwargs', [{}, dict(two_samplers=True)])
def test_a_step_does_not_wait_for_the_device(kwargs):
    """Tensors of the meta device have no values to wait for."""
    model = build(remix=dict(), class_stats=STATS, **kwargs).to('meta')
    images, samples = make_batch()
    images, samples = images.to('meta'), [each.to('meta') for each in samples]
    for _ in range(10):
        with NoWaiting():
            loss_of(model, images, samples).backward()


def test_compiled():
    """The same draws; a graph for each place, and none for each lambda."""
    torch._dynamo.reset()
    kwargs = dict(places=['input', 2], remix=dict(), class_stats=STATS)
    model, counter = build(**kwargs), CompileCounter()
    compiled = torch.compile(build(**kwargs), backend=counter)
    images, samples = make_batch()

    def losses(each, number):
        return [loss_of(each, images, samples) for _ in range(number)]

    torch.manual_seed(5)
    expected = losses(model, 8)
    torch.manual_seed(5)
    assert_close(losses(compiled, 8), expected)
    assert_close(compiled.eval()(images), model.eval()(images))
    graphs = counter.frame_count
    compiled.train()
    losses(compiled, 16)
    assert counter.frame_count == graphs


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(places=['input', 4]), r'stages \[1, 2, 3\] of CIFARResNet.*4'),
        (dict(places=[0]), r'places must .*\[0\]'),
        (dict(places=[True]), r'places must .*\[True\]'),
        (dict(places=['layer9']), "places must .*'layer1'.*'layer9'"),
        (dict(places=['']), 'places must'),
        (dict(places=[]), r'places must .*\[\]'),
        (dict(places=[1, 1]), 'places must .*different'),
        (dict(places='input'), "places must be a list.*'input'"),
        (dict(places=None), 'places must be a list.*None'),
        (dict(places=[dict()]), 'places must'),
        (dict(alpha=0), 'alpha must be finite and > 0'),
        (dict(alpha=float('nan')), 'alpha must be finite'),
        (dict(alpha='1'), "alpha must be a number, got '1'"),
        (dict(two_samplers=1), 'two_samplers must be True or False, got 1'),
        (dict(head=None), 'head: NoneType'),
        (
            dict(head=dict(MIXED['head'], cal_acc=True)),
            'cal_acc=True of the head LinearClsHead.*cal_acc=False',
        ),
        (
            dict(head=dict(MIXED['head'], type='MultiLabelLinearClsHead')),
            'head: MultiLabelLinearClsHead is for several labels',
        ),
        (
            dict(train_cfg=dict(augments=dict(type='Mixup', alpha=1.0))),
            'train_cfg=.*before ManifoldMixupClassifier',
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises((TypeError, ValueError), match=message):
        MODELS.build(copy.deepcopy({**MIXED, **kwargs}))


def test_a_place_that_is_not_called():
    """The list of blocks of VAN, of which it calls each."""
    backbone = dict(type='VAN', arch='tiny')
    head = dict(type='LinearClsHead', num_classes=C, in_channels=256)
    model = build(backbone=backbone, head=head, places=['blocks1'])
    _, samples = make_batch()
    with pytest.raises(ValueError, match=r"places: VAN.*'blocks1'.*not call"):
        loss_of(model, torch.randn(B, 3, 32, 32), samples)


def test_two_samplers_need_two_halves():
    model = build(two_samplers=True)
    images, samples = make_batch()
    with pytest.raises(ValueError, match=r'two_samplers.*odd batch of 5'):
        loss_of(model, images[:5], samples[:5])
