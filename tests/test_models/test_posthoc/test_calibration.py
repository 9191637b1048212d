"""NorCal and FRACAL, against their formulas."""

import math

import pytest
import torch
from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.models.posthoc import (
    FRACAL,
    LogitAdjustment,
    NorCal,
    find_classifiers,
)
from mmlt.models.posthoc.edits import describe
from mmlt.registry import TASK_UTILS

IMAGES, INSTANCES = [90, 30, 2], [500, 33, 2]
DIMENSION = [1.9, 1.2, 1.0]
STATS = ClassStats(IMAGES, INSTANCES, 100, fractal_dimension=DIMENSION)


def norcal(logits, gamma=0.6, count=IMAGES):
    """Scores of one box, class by class."""
    parts = [
        math.exp(z) / n**gamma for z, n in zip(logits, count, strict=False)
    ]
    parts += [math.exp(z) for z in logits[len(count) :]]
    return [part / sum(parts) for part in parts]


def fracal(logits, base=10.0, power=2.0, count=INSTANCES):
    softmax = [math.exp(z) / sum(map(math.exp, logits)) for z in logits]
    parts = []
    for k, n in enumerate(count):
        shift = math.log(sum(count) / n, base) - math.log(len(count), base)
        parts.append(softmax[k] * math.exp(shift) / DIMENSION[k] ** power)
    parts += softmax[len(count) :]
    return [part / sum(parts) for part in parts]


CASES = [
    (NorCal(), norcal, {}),
    (NorCal(1.3, by='instance'), norcal, dict(gamma=1.3, count=INSTANCES)),
    (NorCal(0), norcal, dict(gamma=0)),
    (FRACAL(), fracal, {}),
    (FRACAL(2.0, 1.0, 'image'), fracal, dict(base=2, power=1, count=IMAGES)),
    (FRACAL(power=0), fracal, dict(power=0)),
]


@pytest.mark.parametrize(('edit', 'formula', 'arguments'), CASES)
@pytest.mark.parametrize('background', [0, 1])
@pytest.mark.parametrize('scale', [1, 100])
def test_scores_are_those_of_the_formula(
    edit, formula, arguments, background, scale
):
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(
        2, 3 + background, 4, generator=generator, dtype=torch.float64
    )
    bias = torch.randn(len(weight), generator=generator, dtype=torch.float64)
    logits = scale * nn.functional.linear(x, weight, bias)
    new_weight, new_bias = edit(weight, bias, 3, STATS)
    assert torch.equal(new_weight, weight)
    assert torch.equal(new_bias[3:], bias[3:])
    scores = (logits + new_bias - bias).softmax(dim=1)
    for row, found in zip(logits.tolist(), scores.tolist(), strict=True):
        assert found == pytest.approx(formula(row, **arguments), abs=1e-9)


def test_by_hand():
    zeros = torch.zeros(2, 1), torch.zeros(2)
    _, bias = NorCal(0.5)(*zeros, 1, ClassStats.single_label([16]))
    torch.testing.assert_close(bias, torch.tensor([-math.log(4), 0]))
    stats = ClassStats([4], [8], 9, fractal_dimension=[2.0])
    _, bias = FRACAL()(*zeros, 1, stats)
    torch.testing.assert_close(bias, torch.tensor([-math.log(4), 0]))


def test_both_are_logit_adjustment_by_other_names():
    weight, bias = torch.randn(4, 2), torch.randn(4)
    total = sum(IMAGES)
    for edit, other in (
        (NorCal(0.6), LogitAdjustment(0.6, background=1 / total)),
        (
            FRACAL(power=0),
            LogitAdjustment(1 / math.log(10), by='instance'),
        ),
    ):
        expected = other(weight, bias, 3, STATS)[1]
        torch.testing.assert_close(edit(weight, bias, 3, STATS)[1], expected)


@pytest.mark.parametrize(('edit', 'formula', 'arguments'), CASES)
@pytest.mark.parametrize(
    'config', ['faster-rcnn', 'mask-rcnn', 'cascade-rcnn']
)
def test_stock_detectors_are_calibrated(
    detector, config, edit, formula, arguments
):
    """All stages of a cascade: it averages their logits."""
    model = detector(f'{config}_r50_fpn').double()
    heads = model.roi_head.bbox_head
    heads = heads if isinstance(heads, nn.ModuleList) else [heads]
    rois = torch.randn(5, 4, 2, 2, dtype=torch.float64)
    before = torch.stack([head(rois)[0] for head in heads]).mean(dim=0)
    edit.check_model(model)
    for _, layer, num_classes in find_classifiers(model):
        _, bias = edit(layer.weight, layer.bias.detach(), num_classes, STATS)
        layer.bias.data = bias
    after = torch.stack([head(rois)[0] for head in heads]).mean(dim=0)
    assert torch.equal(after[:, 3], before[:, 3])
    for row, found in zip(before.tolist(), after.softmax(1), strict=True):
        expected = formula(row, **arguments)
        assert found.tolist() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize('edit', [NorCal(), FRACAL(), LogitAdjustment()])
@pytest.mark.parametrize(
    'loss',
    [
        dict(type='CrossEntropyLoss', use_sigmoid=True),
        dict(type='SeesawLoss', num_classes=3),
        dict(
            type='mmlt.BAGSLoss',
            thresholds=(33, 500),
            class_stats=STATS.to_dict(),
        ),
        dict(type='mmlt.EQLLoss', class_stats=STATS.to_dict()),
    ],
)
def test_scores_without_a_softmax_are_refused(detector, edit, loss):
    head = 'mmlt.BAGSBBoxHead' if 'BAGS' in loss['type'] else None
    change = dict(type=head) if head else {}
    model = detector('faster-rcnn_r50_fpn', loss_cls=loss, **change)
    name = loss['type'].removeprefix('mmlt.')
    message = f'roi_head.bbox_head.loss_cls is a {name}, whose scores'
    with pytest.raises(ValueError, match=message):
        edit.check_model(model)


def test_an_adjusted_detector_is_refused(detector):
    loss = dict(type='mmlt.LogitAdjustedLoss', class_stats=IMAGES)
    model = detector('faster-rcnn_r50_fpn', loss_cls=loss)
    for edit in (NorCal(), FRACAL()):
        message = f'edit {type(edit).__name__}, never both'
        with pytest.raises(ValueError, match=message):
            edit.check_model(model)


def test_statistics_that_do_not_serve():
    layer = torch.zeros(4, 2), torch.zeros(4), 3
    for edit in (NorCal(), FRACAL()):
        with pytest.raises(ValueError, match='has no class stat'):
            edit(*layer, None)
        with pytest.raises(ValueError, match=r'3 classes.*hold 2'):
            edit(*layer, ClassStats([1, 2]))
    empty = ClassStats([5, 0, 1], [5, 0, 1], 6, None, [1.5, 1, 1])
    for edit in (NorCal, FRACAL):
        with pytest.raises(ValueError, match='zero_count'):
            edit()(*layer, empty)
        assert edit(zero_count='one')(*layer, empty)[1].isfinite().all()
    with pytest.raises(ValueError, match=r'no fractal_dim.*class_stats\.py'):
        FRACAL()(*layer, ClassStats(IMAGES, INSTANCES, 100))
    with pytest.raises(ValueError, match="by='instance'"):
        FRACAL()(*layer, ClassStats(IMAGES, None, 100, None, DIMENSION))


@pytest.mark.parametrize(
    ('config', 'error', 'message'),
    [
        (dict(type='NorCal', gamma=-1), ValueError, 'gamma must be finite an'),
        (dict(type='NorCal', gamma=math.nan), ValueError, 'gamma must be fin'),
        (dict(type='NorCal', gamma='1'), TypeError, 'gamma must be a number'),
        (dict(type='NorCal', by='box'), ValueError, 'by must be'),
        (dict(type='NorCal', zero_count='x'), ValueError, 'zero_count must'),
        (dict(type='FRACAL', base=1), ValueError, 'base must be above 1'),
        (dict(type='FRACAL', base=math.inf), ValueError, 'base must be finit'),
        (dict(type='FRACAL', power=-2), ValueError, 'power must be finite'),
        (dict(type='FRACAL', power=None), TypeError, 'power must be a number'),
    ],
)
def test_bad_arguments(config, error, message):
    config['type'] = f'mmlt.{config["type"]}'
    with pytest.raises(error, match=message):
        TASK_UTILS.build(config)


def test_configs_that_they_describe():
    for edit in (NorCal(0.4), FRACAL(power=1)):
        assert TASK_UTILS.build(describe(edit)) == edit
