"""What every loss has from its base: each registered one is tested.

The test of a loss itself needs its formula, a value by hand and what is
special about it.
"""

import pytest
import torch
import torch.nn.functional as F
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
    value = total(loss(scores, target[:0], avg_factor=1.0))
    value.backward()
    assert value == 0
    assert scores.grad.shape == scores.shape


@pytest.mark.parametrize('name', sorted(set(ALL) - {'BAGSLoss'}))
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
def test_labels_are_checked_in_the_first_batch(name):
    loss = make(name, class_stats=STATS)
    scores, target = make_batch(loss)
    with pytest.raises(ValueError, match=r'from 1 to 4.* in \[0, 4\)'):
        loss(scores, target + 1)
    assert loss.is_first_batch
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
