import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import ConfigDict
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    DistributionBalancedLoss,
    distribution_balanced_loss,
    negative_tolerant_bias,
    rebalanced_weight,
)

# Class 3 has no image, class 0 is in every one.
STATS = ClassStats([50, 12, 3, 0], None, 50)
COUNTS = [50, 12, 3, 1]
ODDS = [1 / 49, 38 / 12, 47 / 3, 49]  # N / n - 1, after the policy
TARGET = torch.tensor(
    [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]
)
LADDER = {
    'R-BCE': dict(ntr=None, focal=None),
    'R-BCE-Focal': dict(ntr=None),
    'NTR-Focal': dict(rebalance=None),
    'DB': dict(focal=None),
    'DB-Focal': dict(),
    'COCO-MLT': dict(rebalance=dict(mu=0.2)),
    'VOC-MLT': dict(ntr=dict(scale=5.0)),
    'NTR': dict(rebalance=None, focal=None),
    'Focal 0.5': dict(rebalance=None, ntr=None, focal=dict(gamma=0.5)),
}


def naive(scores, target, rebalance, ntr, focal):
    """The formulas of one image and class at a time."""
    rows = []
    for z_row, y_row in zip(scores.tolist(), target.tolist(), strict=True):
        row = []
        for k, (z, y) in enumerate(zip(z_row, y_row, strict=True)):
            weight, scale = 1.0, 1.0
            if rebalance is not None:
                total = sum(
                    1 / n for n, on in zip(COUNTS, y_row, strict=True) if on
                )
                ratio = (1 / COUNTS[k]) / total if total else math.inf
                exponent = -rebalance['beta'] * (ratio - rebalance['mu'])
                weight = rebalance['alpha'] + 1 / (1 + math.exp(exponent))
            if ntr is not None:
                scale = ntr['scale']
                z = z - ntr['kappa'] / scale * math.log(ODDS[k])
            if y:
                probability = 1 / (1 + math.exp(-z))
                loss = -math.log(probability)
            else:
                probability = 1 / (1 + math.exp(scale * z))
                loss = -math.log(probability) / scale
            if focal is not None:
                loss *= focal['balance']
                loss *= (1 - probability) ** focal['gamma']
            row.append(weight * loss)
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize('name', LADDER)
def test_equals_naive_loop(name):
    scores = torch.randn(5, 4, dtype=torch.float64) * 3
    loss = DistributionBalancedLoss(
        class_stats=STATS, reduction='none', **LADDER[name]
    ).double()
    # The buffers themselves are kept in float32.
    loss.on_class_stats(loss.class_stats)
    expected = naive(scores, TARGET, loss.rebalance, loss.ntr, loss.focal)
    assert_close(loss(scores, TARGET), expected, atol=1e-6, rtol=1e-6)
    assert_close(
        loss(scores, TARGET, reduction_override='mean'),
        expected.mean(),
        atol=1e-6,
        rtol=1e-6,
    )


def test_weight_by_hand():
    # n = (4, 1), both present: r = (1/4, 1) / (5/4) = (0.2, 0.8).
    weight = rebalanced_weight(
        torch.ones(1, 2), torch.tensor([0.25, 1.0]), 0.5, 10.0, 0.2
    )
    expected = torch.tensor([[1.0, 0.5 + 1 / (1 + math.exp(-6))]])
    assert_close(weight, expected)


def test_image_without_label_has_the_largest_weight():
    inverse = torch.tensor([0.25, 1.0, 0.001])
    weight = rebalanced_weight(torch.zeros(2, 3), inverse, alpha=0.1)
    assert_close(weight, torch.full((2, 3), 1.1))


def test_bias_by_hand():
    # N = 10: log(10 / 5 - 1) = 0 and log(10 / 1 - 1) = log 9.
    bias = negative_tolerant_bias(ClassStats([5, 1], None, 10), 2.0, 0.05)
    expected = torch.tensor([0.0, -0.025 * math.log(9)], dtype=torch.float64)
    assert_close(bias, expected)


def test_bias_of_empty_and_full_classes():
    bias = negative_tolerant_bias(ClassStats([0, 1, 9, 10], None, 10))
    assert bias.isfinite().all()
    assert_close(bias[0], bias[1])
    assert_close(bias[3], bias[2])
    one = negative_tolerant_bias(ClassStats([1, 0], None, 1))
    assert_close(one, torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_without_parts_is_binary_cross_entropy(reduction):
    scores = torch.randn(5, 4, requires_grad=True)
    target = TARGET.float()
    loss = DistributionBalancedLoss(
        None, None, None, class_stats=STATS, reduction=reduction
    )
    value = loss(scores, target)
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction=reduction
    )
    assert_close(value, expected)
    assert_close(
        torch.autograd.grad(value.sum(), scores),
        torch.autograd.grad(expected.sum(), scores),
    )


@pytest.mark.parametrize('name', LADDER)
def test_gradcheck(name):
    scores = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    loss = DistributionBalancedLoss(class_stats=STATS, **LADDER[name])
    assert torch.autograd.gradcheck(lambda z: loss(z, TARGET), scores)


def test_module_equals_function():
    scores = torch.randn(5, 4)
    loss = DistributionBalancedLoss(class_stats=STATS, reduction='none')
    expected = distribution_balanced_loss(
        scores,
        TARGET.float(),
        1 / torch.tensor(COUNTS),
        negative_tolerant_bias(STATS).float(),
    )
    assert_close(loss(scores, TARGET), expected)


def test_nothing_is_edited_in_place():
    scores, target = torch.randn(5, 4), TARGET.float()
    target[0, 1] = -1
    inputs = scores.clone(), target.clone()
    loss = DistributionBalancedLoss(class_stats=STATS)
    buffers = [buffer.clone() for buffer in loss.buffers()]
    loss(scores.requires_grad_(), target).backward()
    assert_close((scores.detach(), target), inputs, atol=0, rtol=0)
    assert_close(list(loss.buffers()), buffers, atol=0, rtol=0)


@pytest.mark.parametrize('name', LADDER)
@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32]
)
@pytest.mark.parametrize('scale', [1, 100])
def test_finite_in_every_precision(name, dtype, scale):
    signs = torch.randint(0, 2, (5, 4)) * 2 - 1
    scores = (signs * scale).to(dtype).requires_grad_()
    loss = DistributionBalancedLoss(class_stats=STATS, **LADDER[name])
    value = loss(scores, TARGET)
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()


def test_autocast_keeps_full_precision():
    scores = torch.randn(5, 4)
    loss = DistributionBalancedLoss(class_stats=STATS)
    expected = loss(scores, TARGET)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert_close(loss(scores, TARGET), expected)


def test_extreme_logits_are_exact():
    loss = DistributionBalancedLoss(
        None, dict(scale=2.0, kappa=0.0), dict(), class_stats=[1, 1]
    )
    scores = torch.tensor([[-100.0, 100.0]], requires_grad=True)
    value = loss(scores, torch.tensor([[1, 0]]), reduction_override='none')
    value.sum().backward()
    # b = 2 times 100, and 2 times (2 * 100) / 2
    assert_close(value, torch.tensor([[200.0, 200.0]]))
    assert_close(scores.grad, torch.tensor([[-2.0, 2.0]]))


@pytest.mark.parametrize('name', LADDER)
def test_unknown_labels_count_nothing(name):
    loss = DistributionBalancedLoss(
        class_stats=STATS, reduction='none', **LADDER[name]
    )
    target = TARGET.clone()
    target[:, 1] = -1
    negative = target.clamp_min(0)
    scores = torch.randn(5, 4, requires_grad=True)
    value = loss(scores, target)
    # They are no label of the image, either.
    expected = loss(scores, negative) * (target >= 0)
    assert_close(value, expected)
    value.sum().backward()
    assert not scores.grad[:, 1].any()


def test_weight_avg_factor_and_reduction():
    scores = torch.randn(5, 4)
    loss = DistributionBalancedLoss(class_stats=STATS, loss_weight=3.0)
    each = loss(scores, TARGET, reduction_override='none')
    assert each.shape == (5, 4)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5, 1.0])
    assert_close(
        loss(scores, TARGET, weight, avg_factor=7.0),
        (each * weight[:, None]).sum() / 7,
    )
    weights = torch.rand(5, 4)
    assert_close(loss(scores, TARGET, weights), (each * weights).mean())
    assert_close(loss(scores, TARGET, reduction_override='sum'), each.sum())
    with pytest.raises(ValueError, match='avg_factor=7'):
        loss(scores, TARGET, avg_factor=7.0, reduction_override='sum')


@pytest.mark.parametrize('shape', [(0, 4), (0,)])
def test_empty_batch_backpropagates(shape):
    scores = torch.zeros(0, 4, requires_grad=True)
    loss = DistributionBalancedLoss(class_stats=STATS)
    value = loss(scores, torch.zeros(shape, dtype=torch.long), avg_factor=1.0)
    value.backward()
    assert value == 0
    assert scores.grad.shape == (0, 4)


def test_class_indices():
    scores = torch.randn(4, 4)
    loss = DistributionBalancedLoss(class_stats=STATS, reduction='none')
    # A class, the background, an ignored row, a class
    matrix = torch.zeros(4, 4)
    matrix[0, 2] = matrix[3, 0] = 1
    matrix[2] = -1
    value = loss(scores, torch.tensor([2, 4, -1, 0]))
    assert_close(value, loss(scores, matrix))


def test_stock_multi_label_head():
    from mmpretrain.structures import DataSample

    head = MODELS.build(
        dict(
            type='mmpretrain.MultiLabelLinearClsHead',
            num_classes=4,
            in_channels=8,
            loss=dict(
                type='mmlt.DistributionBalancedLoss',
                class_stats=STATS.to_dict(),
                loss_weight=1 / 4,
            ),
        )
    )
    feats = (torch.randn(5, 8),)
    samples = [DataSample().set_gt_score(row.float()) for row in TARGET]
    mean = head.loss_module(head(feats), TARGET) * 4
    value = head.loss(feats, samples)['loss']
    # The head divides by B, and the loss weight by C.
    assert_close(value, mean)
    value.backward()
    assert head.fc.weight.grad.isfinite().all()


def test_stock_sigmoid_detection_head():
    head = MODELS.build(
        ConfigDict(
            _scope_='mmdet',
            type='RetinaHead',
            num_classes=4,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator',
                scales=[4],
                ratios=[1.0],
                strides=[8],
            ),
            loss_cls=dict(
                type='mmlt.DistributionBalancedLoss',
                use_sigmoid=True,
                reduction='mean',
                class_stats=STATS.to_dict(),
            ),
            train_cfg=dict(
                assigner=dict(
                    type='mmdet.MaxIoUAssigner',
                    pos_iou_thr=0.5,
                    neg_iou_thr=0.4,
                    min_pos_iou=0,
                    ignore_iof_thr=-1,
                ),
                sampler=dict(type='mmdet.PseudoSampler'),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
        )
    )
    truth = InstanceData(
        bboxes=torch.tensor([[4.0, 4.0, 36.0, 36.0]]), labels=torch.tensor([2])
    )
    outs = head((torch.randn(1, 8, 8, 8),))
    assert outs[0][0].shape == (1, 4, 8, 8)
    losses = head.loss_by_feat(
        *outs, [truth], [dict(img_shape=(64, 64), pad_shape=(64, 64))]
    )
    value = sum(losses['loss_cls'])
    value.backward()
    assert value > 0
    assert head.retina_cls.weight.grad.isfinite().all()


@pytest.mark.parametrize('reduction', ['none', 'mean', 'sum'])
def test_compiles_in_one_graph(reduction):
    torch.compiler.reset()
    loss = DistributionBalancedLoss(class_stats=STATS, reduction=reduction)
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    target = TARGET.clone()
    target[0, 0] = -1
    first, second = torch.randn(2, 5, 4).unbind()
    for labels in (target, torch.tensor([0, 4, -1, 2, 3])):
        eager_in = first.clone().requires_grad_()
        compiled_in = first.clone().requires_grad_()
        expected, value = loss(eager_in, labels), compiled(compiled_in, labels)
        assert_close(value, expected)
        expected.sum().backward()
        value.sum().backward()
        assert_close(compiled_in.grad, eager_in.grad)
        assert_close(compiled(second, labels), loss(second, labels))


def test_checkpoint_round_trip_and_config_wins():
    trained = DistributionBalancedLoss(class_stats=STATS)
    fresh = DistributionBalancedLoss()
    fresh.load_state_dict(trained.state_dict())
    scores = torch.randn(5, 4)
    assert_close(fresh(scores, TARGET), trained(scores, TARGET))
    other = ClassStats([1, 2, 3, 4], None, 9)
    given = DistributionBalancedLoss(class_stats=other)
    given.load_state_dict(trained.state_dict())
    given.set_class_stats(STATS)
    assert given.class_stats == other


def test_config_may_give_some_keys():
    loss = MODELS.build(
        ConfigDict(
            type='mmlt.DistributionBalancedLoss',
            rebalance=dict(mu=0.2),
            ntr=dict(scale=5.0),
            focal=None,
        )
    )
    assert loss.rebalance == dict(alpha=0.1, beta=10.0, mu=0.2)
    assert loss.ntr == dict(scale=5.0, kappa=0.05)
    assert loss.focal is None


@pytest.mark.parametrize(
    ('wrong', 'error', 'match'),
    [
        (dict(ntr=dict(scale=-2.0)), ValueError, r"ntr\['scale'\].*> 0.*-2"),
        (dict(ntr=dict(scale=0)), ValueError, r"ntr\['scale'\].*> 0"),
        (dict(ntr=dict(kappa=-1.0)), ValueError, r"ntr\['kappa'\].*>= 0"),
        (dict(rebalance=dict(beta=0.0)), ValueError, r"\['beta'\].*> 0"),
        (dict(rebalance=dict(mu=math.nan)), ValueError, r"\['mu'\].*nan"),
        (dict(rebalance=dict(gamma=0.2)), ValueError, 'unknown keys.*gamma'),
        (dict(focal=dict(gamma=-1.0)), ValueError, r"focal\['gamma'\]"),
        (dict(focal=dict(gamma='2')), TypeError, r"focal\['gamma'\].*'2'"),
        (dict(focal=True), TypeError, 'focal must be a dict'),
        (dict(reduction='average'), ValueError, 'reduction'),
        (dict(use_sigmoid=False), ValueError, 'use_sigmoid must be True'),
    ],
)
def test_bad_argument_raises_at_build(wrong, error, match):
    with pytest.raises(error, match=match):
        DistributionBalancedLoss(class_stats=STATS, **wrong)


def test_counts_above_num_images():
    stats = dict(image_count=[5, 11], num_images=10)
    with pytest.raises(ValueError, match='11, more than num_images=10'):
        DistributionBalancedLoss(class_stats=stats)


def test_missing_stats_say_how_to_give_them():
    loss = DistributionBalancedLoss()
    with pytest.raises(ValueError, match=r'JSON.*ClassStatsHook.*checkpoint'):
        loss(torch.zeros(5, 4), TARGET)


@pytest.mark.parametrize(
    ('target', 'match'),
    [
        (torch.zeros(5, 3), r'shape \(5, 3\)'),
        (torch.zeros(4, 4), r'shape \(4, 4\)'),
        (torch.zeros(5), 'integer class indices'),
        (torch.full((5, 4), 0.5), 'the label 0.5'),
        (torch.full((5, 4), 2), 'the label 2'),
        (torch.full((5, 4), -2.0), 'the label -2'),
        (torch.full((5, 4), math.nan), 'the label nan'),
        (torch.tensor([0, 1, 2, 3, 5]), 'from 0 to 5'),
        (torch.tensor([0, 1, 2, 3, -2]), 'from -2 to 3'),
    ],
)
def test_bad_target(target, match):
    loss = DistributionBalancedLoss(class_stats=STATS)
    with pytest.raises(ValueError, match=match):
        loss(torch.zeros(5, 4), target)


def test_bad_scores():
    loss = DistributionBalancedLoss(class_stats=STATS)
    with pytest.raises(ValueError, match=r'\(5, 5\).*4 classes'):
        loss(torch.zeros(5, 5), torch.zeros(5, 5))
