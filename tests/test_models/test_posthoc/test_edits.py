import math

import pytest
import torch
from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.models.losses import checks
from mmlt.models.losses.logit_adjusted_loss import LogitAdjustedLoss
from mmlt.models.losses.pairwise_margin_loss import PairwiseMarginLoss
from mmlt.models.posthoc.edits import (
    LogitAdjustment,
    TauNorm,
    adjust_logits,
    describe,
    tau_normalize,
)
from mmlt.registry import TASK_UTILS

COUNT = [50, 8, 1]


def make_layer(rows, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(rows, 4, generator=generator, dtype=dtype)
    return weight, torch.randn(rows, generator=generator, dtype=dtype)


def bits(tensor):
    return tensor.contiguous().view(torch.uint8)


@pytest.mark.parametrize('background', [0, 1])
@pytest.mark.parametrize('tau', [0.0, 1.0, -0.7, 2.5])
def test_adjust_logits_is_the_formula(tau, background):
    weight, bias = make_layer(3 + background)
    log_pi = [math.log(n / sum(COUNT)) for n in COUNT]
    old = weight.clone(), bias.clone()

    new_weight, new_bias = adjust_logits(
        weight, bias, torch.tensor(log_pi, dtype=torch.float64), tau
    )

    for k in range(3):
        assert new_bias[k].item() == pytest.approx(
            bias[k].item() - tau * log_pi[k], abs=1e-12
        )
    assert torch.equal(bits(new_bias[3:]), bits(bias[3:]))
    assert torch.equal(bits(new_weight), bits(weight))
    assert torch.equal(weight, old[0])
    assert torch.equal(bias, old[1])
    assert new_weight.data_ptr() != weight.data_ptr()


@pytest.mark.parametrize('edit', ['LogitAdjustment', 'TauNorm'])
def test_a_tau_that_hardly_anybody_means_is_told(edit, monkeypatch):
    said = []
    monkeypatch.setattr(
        checks, 'print_log', lambda text, **kwargs: said.append(text)
    )

    def build(tau):
        TASK_UTILS.build(dict(type=f'mmlt.{edit}', tau=tau))

    for tau in (0, 0.5, 1.0, 10):
        build(tau)
    assert not said
    build(-0.5)
    build(11)
    assert said[0].startswith(f'{edit}: tau=-0.5 favours frequent classes')
    assert said[1].startswith(f'{edit}: tau=11 leaves little else')


def test_adjust_logits_creates_a_missing_bias():
    weight, _ = make_layer(4)
    log_pi = torch.log(torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64))
    _, bias = adjust_logits(weight, None, log_pi, 2.0)
    expected = torch.cat([-2 * log_pi, torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(bias, expected)


@pytest.mark.parametrize('background', [0, 1])
@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize('keep_bias', [False, True])
def test_tau_normalize_is_the_formula(tau, background, keep_bias):
    weight, bias = make_layer(3 + background)
    weight[1] = 0
    old = weight.clone(), bias.clone()

    new_weight, new_bias = tau_normalize(
        weight, bias, tau, keep_bias, num_classes=3
    )

    for k in range(3):
        norm = math.sqrt(sum(w.item() ** 2 for w in weight[k])) or 1.0
        for d in range(4):
            assert new_weight[k, d].item() == pytest.approx(
                weight[k, d].item() / norm**tau, abs=1e-12
            )
        assert new_bias[k] == (bias[k] if keep_bias else 0)
    assert torch.equal(bits(new_weight[3:]), bits(weight[3:]))
    assert torch.equal(bits(new_bias[3:]), bits(bias[3:]))
    assert torch.equal(weight, old[0])
    assert torch.equal(bias, old[1])


def test_tau_normalize_without_bias_has_none():
    weight, _ = make_layer(3)
    new_weight, bias = tau_normalize(weight, None, 1.0)
    assert bias is None
    torch.testing.assert_close(
        new_weight.norm(dim=1), torch.ones(3, dtype=torch.float64)
    )


def test_tau_normalize_without_num_classes_takes_every_row():
    weight, bias = make_layer(4)
    new_weight, new_bias = tau_normalize(weight, bias, 1.0)
    torch.testing.assert_close(
        new_weight.norm(dim=1), torch.ones(4, dtype=torch.float64)
    )
    assert not new_bias.any()


def test_reference_mean_leaves_equal_norms_alone():
    weight, bias = make_layer(4)
    weight[:3] *= 5 / weight[:3].norm(dim=1, keepdim=True)
    new_weight, _ = tau_normalize(
        weight, bias, 0.8, num_classes=3, reference='mean'
    )
    torch.testing.assert_close(new_weight, weight)


def test_reference_scales_all_classes_alike():
    weight, bias = make_layer(3)
    plain, _ = tau_normalize(weight, bias, 0.5)
    scaled, _ = tau_normalize(weight, bias, 0.5, reference=9.0)
    torch.testing.assert_close(scaled, 3 * plain)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype):
    weight, bias = make_layer(3, dtype)
    log_pi = torch.log(torch.tensor(COUNT, dtype=torch.float64) / sum(COUNT))
    _, new_bias = adjust_logits(weight, bias, log_pi, 1.0)
    assert torch.equal(new_bias, (bias.double() - log_pi).to(dtype))
    new_weight, _ = tau_normalize(weight, bias, 1.0)
    rows = weight.double()
    expected = rows / rows.norm(dim=1, keepdim=True)
    assert torch.equal(new_weight, expected.to(dtype))


def test_a_1x1_convolution_is_a_linear_layer():
    weight, bias = make_layer(4)
    conv = weight[:, :, None, None]
    expected, _ = tau_normalize(weight, bias, 1.0, num_classes=3)
    new_weight, _ = tau_normalize(conv, bias, 1.0, num_classes=3)
    assert torch.equal(new_weight, expected[:, :, None, None])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(tau=math.nan), 'tau must be a finite number, got nan'),
        (dict(tau='1'), "tau must be a finite number, got '1'"),
        (dict(log_prior=torch.tensor([-math.inf, 0.0])), 'zero_count'),
        (dict(log_prior=torch.zeros(2, 2)), 'one finite number for each'),
        (dict(log_prior=torch.zeros(5)), r'weight has 4 rows: expected 5'),
        (dict(log_prior=torch.zeros(2)), r'expected 2.* or 3'),
        (dict(bias=torch.zeros(3)), r'bias has the shape \(3,\)'),
        (dict(weight=torch.zeros(4)), r'weight must have the shape \(K, D\)'),
        (dict(weight=torch.zeros(4, 2, 3, 3)), r'1x1 convolution, got'),
    ],
)
def test_adjust_logits_refuses(change, message):
    good = dict(
        weight=torch.zeros(4, 2),
        bias=torch.zeros(4),
        log_prior=torch.zeros(3),
        tau=1.0,
    )
    with pytest.raises(ValueError, match=message):
        adjust_logits(**{**good, **change})


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(tau=math.inf), 'tau must be a finite number, got inf'),
        (dict(num_classes=2), 'weight has 4 rows: expected 2'),
        (dict(reference=0), "'mean' or a positive norm, got 0"),
        (dict(reference='median'), "got 'median'"),
        (dict(reference=math.inf), 'got inf'),
    ],
)
def test_tau_normalize_refuses(change, message):
    good = dict(weight=torch.zeros(4, 2), bias=None, tau=1.0)
    with pytest.raises(ValueError, match=message):
        tau_normalize(**{**good, **change})


def test_edits_are_built_from_configs_that_they_describe():
    config = dict(type='mmlt.TauNorm', tau=0.7, keep_bias=True)
    edit = TASK_UTILS.build(config)
    assert edit == TauNorm(0.7, keep_bias=True)
    assert TASK_UTILS.build(describe(edit)) == edit
    assert describe(LogitAdjustment(0.5)) == dict(
        type='mmlt.LogitAdjustment',
        tau=0.5,
        by='image',
        zero_count='error',
        background='mean',
    )


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(tau=math.nan), 'tau must be a finite number'),
        (dict(by='box'), 'by must be'),
        (dict(zero_count='clip'), 'zero_count must be'),
        (dict(background='none'), 'background must be'),
    ],
)
def test_logit_adjustment_refuses_when_built(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogitAdjustment(**arguments)


def test_tau_norm_refuses_when_built():
    with pytest.raises(ValueError, match='reference'):
        TauNorm(reference='max')


@pytest.mark.parametrize('background', [0, 1])
@pytest.mark.parametrize('by', ['image', 'instance'])
def test_logit_adjustment_equals_posthoc_adjusted_logits(background, by):
    stats = ClassStats([30, 9, 1], [60, 30, 2], 31)
    weight, bias = make_layer(3 + background)
    edit = LogitAdjustment(0.8, by=by, background='sum')
    new_weight, new_bias = edit(weight, bias, 3, stats)

    x = torch.randn(16, 4, dtype=torch.float64)
    logits = nn.functional.linear(x, weight, bias)
    log_pi = torch.from_numpy(stats.prior(by)).log()
    logits[:, :3] -= 0.8 * log_pi
    torch.testing.assert_close(
        nn.functional.linear(x, new_weight, new_bias), logits
    )


def test_logit_adjustment_needs_fitting_stats():
    weight, bias = make_layer(4)
    with pytest.raises(ValueError, match=r'no class statistics.*JSON'):
        LogitAdjustment()(weight, bias, 4, None)
    # Three counts and four rows could be taken for three and a background.
    with pytest.raises(ValueError, match=r'4 classes.*hold 3'):
        LogitAdjustment()(weight, bias, 4, ClassStats.single_label(COUNT))
    empty = ClassStats.single_label([5, 0, 2, 1])
    with pytest.raises(ValueError, match='zero_count'):
        LogitAdjustment()(weight, bias, 4, empty)
    _, counted = LogitAdjustment(zero_count='one')(weight, bias, 4, empty)
    assert counted.isfinite().all()


def test_one_or_the_other_never_both():
    stats = COUNT
    for loss in (
        LogitAdjustedLoss(class_stats=stats),
        PairwiseMarginLoss('logit_adjusted', class_stats=stats),
    ):
        model = nn.ModuleDict({'loss_module': loss})
        with pytest.raises(ValueError, match='never both'):
            LogitAdjustment().check_model(model)
        TauNorm().check_model(model)
    for loss in (
        LogitAdjustedLoss(tau=0, class_stats=stats),
        PairwiseMarginLoss('balanced', class_stats=stats),
        nn.CrossEntropyLoss(),
    ):
        LogitAdjustment().check_model(nn.ModuleDict({'loss': loss}))
