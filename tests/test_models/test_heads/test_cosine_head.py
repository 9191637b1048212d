import math

import pytest
import torch
from mmengine.registry import MODELS
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.posthoc.find import find_classifiers

C, D = 4, 6


def build(**kwargs):
    config = dict(type='mmlt.CosineClsHead', num_classes=C, in_channels=D)
    return MODELS.build({**config, **kwargs})


def norm(values):
    return math.sqrt(sum(value * value for value in values))


@pytest.mark.parametrize('scale', [1.0, 16.0])
def test_equals_naive_loop(scale):
    head = build(scale=scale).double()
    feature = torch.randn(3, D, dtype=torch.float64)
    logits = head((feature,))
    for row, x in enumerate(feature.tolist()):
        for k, w in enumerate(head.fc.weight.tolist()):
            dot = sum(a * b for a, b in zip(x, w, strict=True))
            expected = scale * dot / norm(x) / norm(w)
            assert abs(logits[row, k].item() - expected) < 1e-6


def test_length_of_features_and_weights_does_not_matter():
    head = build()
    feature = torch.randn(3, D)
    before = head((feature,))
    head.fc.weight.data *= torch.rand(C, 1) + 0.5
    assert_close(head((7 * feature,)), before)
    assert head((feature,)).abs().max() <= 1 + 1e-6


def test_scale_is_learnt_on_request():
    assert not build().fc.scale.requires_grad
    head = build(learn_scale=True, scale=20)
    samples = [DataSample().set_gt_label(k % C) for k in range(8)]
    head.loss((torch.randn(8, D),), samples)['loss'].backward()
    assert head.fc.scale.grad.abs() > 0
    assert 'fc.scale' in head.state_dict()


@pytest.mark.parametrize(
    'loss',
    [
        dict(type='mmlt.LDAMLoss', class_stats=[9, 5, 2, 1]),
        dict(type='mmlt.LogitAdjustedLoss', class_stats=[9, 5, 2, 1]),
        dict(type='CrossEntropyLoss'),
        dict(type='LabelSmoothLoss', label_smooth_val=0.1),
    ],
)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_works_with_every_softmax_loss(loss, dtype):
    head = build(loss=loss)
    samples = [DataSample().set_gt_label(k % C) for k in range(8)]
    feature = torch.randn(8, D, requires_grad=True)
    enabled = dtype != torch.float32
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=enabled):
        value = head.loss((feature,), samples)['loss']
    value.backward()
    assert value.isfinite()
    assert feature.grad.abs().sum() > 0
    scores = [each.pred_score for each in head.predict((feature,), samples)]
    assert_close(torch.stack(scores).sum(1), torch.ones(8))


def test_a_feature_of_zeros_has_no_logits():
    head = build()
    feature = torch.zeros(1, D, requires_grad=True)
    logits = head((feature,))
    logits.sum().backward()
    assert_close(logits, torch.zeros(1, C))
    assert feature.grad.isfinite().all()


def test_is_refused_by_edits():
    with pytest.raises(ValueError, match='CosineLinear; only a plain linear'):
        find_classifiers(build())


@pytest.mark.parametrize(
    ('kwargs', 'error'),
    [
        (dict(scale=0), ValueError),
        (dict(scale=math.inf), ValueError),
        (dict(scale='30'), TypeError),
        (dict(learn_scale=1), TypeError),
    ],
)
def test_wrong_arguments_are_refused(kwargs, error):
    with pytest.raises(error, match=next(iter(kwargs))):
        build(**kwargs)
