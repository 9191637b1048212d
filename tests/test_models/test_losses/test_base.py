"""What every loss has from its base: each registered one is tested.

The test of a loss itself needs its formula, a value by hand and what is
special about it.
"""

import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.roi_heads.bbox_heads import Shared2FCBBoxHead
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    BAGSLoss,
    BoxLoss,
    EQLv2Loss,
    MultiLabelLoss,
    SoftmaxLoss,
)
from mmlt.models.losses.base import ElementLoss
from mmlt.models.losses.class_weights import class_weights
from mmlt.registry import MODELS

C, B = 4, 8
STATS = ClassStats([100, 30, 7, 1], [2000, 200, 40, 1], 110)
OTHER = ClassStats([1, 2, 3, 9], [1, 20, 300, 9000], 20)
LABELS = torch.arange(B) % C
MATRIX = F.one_hot(LABELS, C)


def registered(base):
    """The losses of a base, by name."""
    MODELS.get('mmlt.LogitAdjustedLoss')  # imports them
    return {
        name: loss
        for name, loss in MODELS.module_dict.items()
        if isinstance(loss, type) and issubclass(loss, base)
    }


SOFTMAX, BOX = registered(SoftmaxLoss), registered(BoxLoss)
MULTI_LABEL = registered(MultiLabelLoss)
ALL = registered(ElementLoss)


def make(name, **kwargs):
    if name in BOX:
        kwargs['num_classes'] = C
    return ALL[name](**kwargs)


def make_batch(loss, dtype=torch.float32):
    columns = loss.num_columns if isinstance(loss, BoxLoss) else C
    target = MATRIX if isinstance(loss, MultiLabelLoss) else LABELS
    return torch.randn(B, columns, dtype=dtype), target


def total(value):
    return sum(value.values()) if isinstance(value, dict) else value


def test_all_kinds_are_there():
    assert {'LogitAdjustedLoss', 'PairwiseMarginLoss'} <= set(SOFTMAX)
    assert {'BAGSLoss', 'EQLLoss', 'BoxFocalLoss'} <= set(BOX)
    assert len(ALL) >= 10


@pytest.mark.parametrize('name', ALL)
@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32]
)
def test_finite_in_every_precision(name, dtype):
    loss = make(name, class_stats=STATS)
    scores, target = make_batch(loss)
    scores = (scores.sign() * 100).to(dtype).requires_grad_()
    value = total(loss(scores, target))
    value.backward()
    assert value.dtype == torch.float32
    assert value.isfinite()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize('name', ALL)
def test_empty_batch_backpropagates(name):
    loss = make(name, class_stats=STATS)
    scores, target = make_batch(loss)
    scores = scores[:0].requires_grad_()
    # Heads give the size of the batch.
    for avg_factor in (None, 1.0, 0):
        value = total(loss(scores, target[:0], avg_factor=avg_factor))
        value.backward()
        assert value == 0
        assert scores.grad.shape == scores.shape


@pytest.mark.parametrize('name', sorted(set(ALL) - {'BAGSLoss', 'SeesawLoss'}))
def test_weight_avg_factor_and_reduction(name):
    loss = make(name, class_stats=STATS, loss_weight=3.0).eval()
    scores, target = make_batch(loss)
    each = loss(scores, target, reduction_override='none')
    weight = torch.rand(B)
    weighted = each * (weight if each.dim() == 1 else weight[:, None])
    assert_close(loss(scores, target, weight, 7.0), weighted.sum() / 7)
    assert_close(loss(scores, target, weight), weighted.mean())
    assert_close(loss(scores, target, None, None, 'sum'), each.sum())
    plain = make(name, class_stats=STATS).eval()
    assert_close(3 * plain(scores, target), each.mean())
    with pytest.raises(ValueError, match=r"avg_factor=7.*'sum'"):
        loss(scores, target, None, 7.0, 'sum')
    with pytest.raises(ValueError, match="reduction must be 'none'"):
        make(name, reduction='average')


@pytest.mark.parametrize('name', ALL)
def test_gradcheck(name):
    kwargs = dict(others_ratio=None) if name == 'BAGSLoss' else {}
    if 'SeesawLoss' in name:
        kwargs = dict(q=0.0)  # its factor is taken for a constant
    loss = make(name, class_stats=STATS, **kwargs).double().eval()
    scores, target = make_batch(loss, torch.float64)
    assert torch.autograd.gradcheck(
        lambda z: total(loss(z, target)), scores.requires_grad_()
    )


@pytest.mark.parametrize('name', ALL)
def test_compiles_in_one_graph(name):
    torch.compiler.reset()
    kwargs = dict(others_ratio=None) if name == 'BAGSLoss' else {}
    loss = make(name, class_stats=STATS, **kwargs).eval()
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    scores, target = make_batch(loss)
    assert_close(total(compiled(scores, target)), total(loss(scores, target)))


@pytest.mark.parametrize('name', ALL)
def test_checkpoint_carries_the_statistics_and_the_config_wins(name):
    trained, fresh = make(name, class_stats=STATS).eval(), make(name).eval()
    scores, target = make_batch(trained)
    if fresh.needs_class_stats:
        with pytest.raises(ValueError, match=r'JSON.*ClassStatsHook'):
            fresh(scores, target)
    fresh.load_state_dict(trained.state_dict())
    assert fresh.class_stats == STATS
    torch.manual_seed(0)
    expected = total(trained(scores, target))
    torch.manual_seed(0)
    assert_close(total(fresh(scores, target)), expected)
    given = make(name, class_stats=OTHER)
    given.load_state_dict(trained.state_dict())
    given.set_class_stats(STATS)
    assert given.class_stats == OTHER


@pytest.mark.parametrize('name', ALL)
def test_inputs_and_tables_stay(name):
    loss = make(name, class_stats=STATS).eval()
    scores, target = make_batch(loss)
    before = scores.clone(), target.clone()
    tables = [table.clone() for table in loss.buffers()]
    total(loss(scores.requires_grad_(), target)).backward()
    assert_close((scores.detach(), target), before, rtol=0, atol=0)
    assert_close(list(loss.buffers()), tables, rtol=0, atol=0)


@pytest.mark.parametrize('name', ALL)
def test_unknown_arguments_are_refused(name):
    with pytest.raises(TypeError, match='taus'):
        make(name, taus=1.0)


@pytest.mark.parametrize('name', SOFTMAX)
def test_soft_target_is_mixture_of_hard_targets(name):
    loss = make(name, class_stats=STATS)
    scores, first = make_batch(loss)
    second = first.flip(0)
    mixed = 0.3 * F.one_hot(first, C) + 0.7 * F.one_hot(second, C)
    expected = 0.3 * loss(scores, first) + 0.7 * loss(scores, second)
    assert_close(loss(scores, mixed), expected)


@pytest.mark.parametrize('name', SOFTMAX)
def test_class_weights_of_softmax_losses(name):
    plain = make(name, class_stats=STATS, class_weight=None)
    scores, target = make_batch(plain)
    each = plain(scores, target, reduction_override='none')
    given = [0.5, 1.0, 2.0, 0.0]
    weight = torch.tensor(given)[target]
    loss = make(name, class_stats=STATS, class_weight=given)
    assert_close(loss(scores, target), (weight * each).sum() / B)
    samples = torch.rand(B)
    total = (samples * weight * each).sum()
    assert_close(loss(scores, target, samples, 5.0), total / 5)
    by_weight = make(
        name, class_stats=STATS, class_weight=given, average='weights'
    )
    assert_close(by_weight(scores, target), total_by(weight, each))
    weighted = by_weight(scores, target, samples, samples.sum())
    assert_close(weighted, total_by(samples * weight, each))
    # All labels without weight.
    lost = torch.full_like(target, 3)
    assert by_weight(scores, lost) == 0
    # A distribution has the weighted mean of its classes.
    other = target.flip(0)
    mixed = 0.3 * F.one_hot(target, C) + 0.7 * F.one_hot(other, C)
    expected = 0.3 * loss(scores, target) + 0.7 * loss(scores, other)
    assert_close(loss(scores, mixed), expected)
    parts = (mixed * torch.tensor(given)).sum(1).mean()
    assert_close(by_weight(scores, mixed), expected / parts)
    # The background of a detector.
    boxes = torch.randn(B, C + 1)
    background = torch.full_like(target, C)
    assert_close(loss(boxes, background), plain(boxes, background))


@pytest.mark.parametrize('name', SOFTMAX)
def test_label_smoothing_of_softmax_losses(name):
    """The mean over all columns takes its share of the loss."""
    kwargs = dict(class_stats=STATS, class_weight=[0.5, 1.0, 2.0, 1.0])
    plain = make(name, **kwargs)
    loss = make(name, label_smoothing=0.1, **kwargs)
    scores, target = make_batch(plain)
    every = [plain(scores, torch.full_like(target, k)) for k in range(C)]
    expected = 0.9 * plain(scores, target) + 0.1 * sum(every) / C
    assert_close(loss(scores, target), expected)
    assert_close(loss(scores, F.one_hot(target, C).float()), expected)


@pytest.mark.parametrize('weight', [None, [0.5, 1.0, 2.0, 1.0]])
def test_label_smoothing_is_that_of_pytorch(weight):
    loss = make(
        'ClassWeightedCELoss', class_weight=weight, average='weights',
        label_smoothing=0.2,
    )  # fmt: skip
    scores, target = make_batch(loss)
    expected = F.cross_entropy(
        scores, target, None if weight is None else torch.tensor(weight),
        label_smoothing=0.2,
    )  # fmt: skip
    assert_close(loss(scores, target), expected)


def total_by(weight, each):
    return (weight * each).sum() / weight.sum()


@pytest.mark.parametrize('name', SOFTMAX)
def test_class_weights_of_the_statistics_can_be_deferred(name):
    weight = class_weights(STATS, 'effective_number', 0.9)
    given = make(name, class_stats=STATS, class_weight=weight.numpy())
    plain = make(name, class_stats=STATS, class_weight=None)
    loss = make(name, class_weight='effective_number', beta=0.9)
    scores, target = make_batch(loss)
    with pytest.raises(ValueError, match='ClassStatsHook'):
        loss(scores, target)
    loss.set_class_stats(STATS)
    assert_close(loss(scores, target), given(scores, target))
    loss.reweights.fill_(False)
    assert_close(loss(scores, target), plain(scores, target))
    assert loss.can_defer
    assert not plain.can_defer
    assert 'reweights' not in loss.state_dict()


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(class_weight='sqrt'), ValueError, r"'inverse_sqrt'.*'sqrt'"),
        (dict(class_weight=2), TypeError, 'a list of numbers'),
        (dict(class_weight=[]), TypeError, 'a list of numbers'),
        (dict(class_weight=[1, True]), TypeError, 'class_weight.*True'),
        (dict(class_weight=[1, math.nan]), ValueError, 'class_weight.*nan'),
        (dict(class_weight=[1, -1]), ValueError, 'class_weight.*-1'),
        (dict(class_weight=[0, 0]), ValueError, 'must not be all 0'),
        (dict(class_weight=[1, 2]), ValueError, 'has 2 numbers.* 4 classes'),
        (dict(beta=1), ValueError, r'beta must be in \[0, 1\), got 1'),
        (dict(beta='x'), TypeError, "beta.*'x'"),
        (dict(average='batch'), ValueError, "'samples' or 'weights'"),
        (dict(label_smoothing=1.5), ValueError, 'label_smoothing.* 1.5'),
        (dict(label_smoothing='x'), TypeError, "label_smoothing.*'x'"),
    ],
)
def test_wrong_class_weights_are_refused(kwargs, error, message):
    with pytest.raises(error, match=message):
        make('LogitAdjustedLoss', class_stats=STATS, **kwargs)


@pytest.mark.parametrize('name', SOFTMAX)
def test_labels_are_checked_in_the_first_batch(name):
    loss = make(name, class_stats=STATS)
    scores, target = make_batch(loss)
    with pytest.raises(ValueError, match=r'from 1 to 4.* in \[0, 4\)'):
        loss(scores, target + 1)
    assert loss.is_first_batch
    loss(scores, target)
    assert not loss.is_first_batch


@pytest.mark.parametrize('name', SOFTMAX)
@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ([1.0, 1.0, 0.0, 0.0], r'row \[1.0, 1.0, 0.0, 0.0\].*multi-label'),
        ([0.0] * 4, 'rows must sum to 1'),
        ([2.0, -1.0, 0.0, 0.0], 'rows must sum to 1'),
        ([math.nan, 1.0, 0.0, 0.0], 'rows must sum to 1'),
    ],
)
def test_several_labels_are_refused_in_the_first_batch(name, row, message):
    loss = make(name, class_stats=STATS)
    scores, _ = make_batch(loss)
    target = MATRIX.float()
    target[5] = torch.tensor(row)
    with pytest.raises(ValueError, match=message):
        loss(scores, target)
    assert loss.is_first_batch
    loss(scores.half(), MATRIX.half())
    assert not loss.is_first_batch


@pytest.mark.parametrize('name', MULTI_LABEL)
def test_labels_of_a_softmax_head_are_refused(name):
    head = LinearClsHead(
        C, 6, loss=dict(type=f'mmlt.{name}', class_stats=[9, 5, 2, 1])
    )
    feats = (torch.randn(B, 6),)
    samples = [DataSample().set_gt_label(label) for label in LABELS]
    with pytest.raises(ValueError, match=r'single-label data.*LogitAdjusted'):
        head.loss(feats, samples)
    # A background, or images of several classes: a detector.
    scores = head(feats)
    assert head.loss_module(scores, LABELS.where(LABELS > 0, C)).isfinite()
    detector = make(name, class_stats=STATS)
    assert detector(scores, LABELS).isfinite()
    assert detector(scores, MATRIX).isfinite()


@pytest.mark.parametrize('name', MULTI_LABEL)
def test_a_background_column_has_a_cure_that_helps(name):
    loss = make(name, class_stats=STATS)
    with pytest.raises(ValueError, match=r'box head.*mmlt\.BoxFocalLoss'):
        loss(torch.zeros(B, C + 1), LABELS)
    with pytest.raises(ValueError, match='set num_classes') as error:
        loss(torch.zeros(B, C + 2), LABELS)
    assert 'use_sigmoid' not in str(error.value)


@pytest.mark.parametrize('name', BOX)
@pytest.mark.parametrize('label', [-1, C + 1])
def test_labels_of_boxes_are_checked_in_the_first_batch(name, label):
    loss = make(name, class_stats=STATS)
    scores, target = make_batch(loss)
    low, high = min(label, 0), max(label, C - 1)
    wrong = target.where(target != 1, label)
    with pytest.raises(ValueError, match=f'from {low} to {high}; they must'):
        loss(scores, wrong)
    assert loss.is_first_batch
    with pytest.raises(ValueError, match=r'float32; class labels'):
        loss(scores, target.float())
    loss(scores, target)
    assert not loss.is_first_batch


@pytest.mark.parametrize('name', BOX)
def test_contract_of_box_heads(name):
    loss = make(name, class_stats=STATS)
    scores, _ = make_batch(loss)
    assert loss.get_cls_channels(C) == scores.size(1)
    assert loss.get_activation(scores).shape == (B, C + 1)
    accuracy = loss.get_accuracy(scores, LABELS)
    assert 0 <= accuracy['acc_classes'] <= 100
    with pytest.raises(ValueError, match='num_classes=9 and its'):
        loss.get_cls_channels(9)
    with pytest.raises(ValueError, match='hold 2 classes'):
        loss.on_class_stats(ClassStats.single_label([1, 2]))
    for contract in ('cls_channels', 'activation', 'accuracy'):
        assert getattr(loss, f'custom_{contract}')


def make_box_head(name, classes=C, **loss):
    return Shared2FCBBoxHead(
        in_channels=4,
        fc_out_channels=8,
        roi_feat_size=2,
        num_classes=classes,
        bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
        loss_cls=dict(type=f'mmlt.{name}', **loss),
        loss_bbox=dict(type='mmdet.L1Loss'),
    )


@pytest.mark.parametrize('name', BOX)
def test_number_of_classes_is_that_of_the_head(name):
    head, known = make_box_head(name), make(name)
    assert head.loss_cls.num_classes == C
    assert head.fc_cls.out_features == known.num_columns
    head.loss_cls.set_class_stats(STATS)
    known.set_class_stats(STATS)
    scores, target = make_batch(known)
    target[:3] = C
    seeds = torch.random.get_rng_state()
    expected = known(scores, target)
    torch.random.set_rng_state(seeds)
    assert_close(head.loss_cls(scores, target), expected)
    # What it counts is there before the checkpoint is loaded.
    fresh = make_box_head(name)
    fresh.load_state_dict(head.state_dict())
    assert_close(fresh.state_dict(), head.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize('name', BOX)
def test_number_of_classes_is_that_of_the_statistics(name):
    loss = ALL[name](class_stats=STATS)
    assert loss.num_classes == C
    assert loss.state_dict().keys() == make(name).state_dict().keys()
    with pytest.raises(ValueError, match=r'num_classes=9 .* 4, as its class'):
        make_box_head(name, 9, class_stats=STATS)
    with pytest.raises(ValueError, match=r'num_classes=9 .*Loss 4; set both'):
        make_box_head(name, 9, num_classes=4)
    with pytest.raises(ValueError, match=r'num_classes=9, but .* hold 4'):
        make_box_head(name, 9).loss_cls.set_class_stats(STATS)
    unknown = ALL[name]()
    assert unknown.num_classes is None
    if not unknown.needs_class_stats:
        with pytest.raises(ValueError, match='num_classes=None; a box head'):
            unknown(torch.zeros(B, C), LABELS)


def test_tables_follow_the_module():
    loss = SOFTMAX['LogitAdjustedLoss'](class_stats=STATS)
    assert loss.offset.dtype == torch.float32
    loss.double().set_class_stats(OTHER)
    assert loss.class_stats == STATS
    moved = SOFTMAX['LogitAdjustedLoss']().to('meta')
    moved.set_class_stats(OTHER)
    assert moved.offset.is_meta
    assert 'offset' not in moved.state_dict()


def test_only_running_statistics_are_saved():
    assert EQLv2Loss(C).state_dict().keys() - BAGSLoss(C).state_dict().keys()
    assert set(BAGSLoss(C, class_stats=STATS).state_dict()) == {
        'image_count', 'instance_count', 'num_images',
    }  # fmt: skip


@pytest.mark.parametrize(
    'name',
    [
        'LogitAdjustedLoss',
        'MultiLabelLogitAdjustedLoss',
        'PairwiseMarginLoss',
        'VSLoss',
    ],
)
def test_a_tau_that_nobody_means_is_told(name, monkeypatch):
    said = []
    monkeypatch.setattr(
        'mmlt.models.losses.checks.print_log',
        lambda message, **kwargs: said.append(message),
    )
    make(name, tau=1.0)
    assert not said
    make(name, tau=-0.5)
    make(name, tau=11)
    assert said[0].startswith(f'{name}: tau=-0.5 favours frequent classes')
    assert said[1].startswith(f'{name}: tau=11 leaves little else')
