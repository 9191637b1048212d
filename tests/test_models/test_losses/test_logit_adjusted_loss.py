import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import LogitAdjustedLoss, logit_adjusted_loss

COUNTS = [100, 30, 7, 1]


def naive(scores, target, counts, tau):
    """CE(z + tau * log pi, y), one sample and class at a time."""
    total = sum(counts)
    losses = []
    for row, label in zip(scores.tolist(), target.tolist(), strict=True):
        adjusted = [
            z + tau * math.log(n / total)
            for z, n in zip(row, counts, strict=True)
        ]
        normaliser = math.log(sum(math.exp(z) for z in adjusted))
        losses.append(normaliser - adjusted[label])
    return torch.tensor(losses, dtype=torch.float64)


@pytest.mark.parametrize('tau', [0.0, 0.5, 1.0, 2.0])
def test_equals_naive_loop(tau):
    scores = torch.randn(12, 4, dtype=torch.float64) * 3
    target = torch.arange(12) % 4
    loss = LogitAdjustedLoss(tau, COUNTS, reduction='none').double()
    # The offsets themselves are kept in float32.
    loss.on_class_stats(loss.class_stats)
    assert_close(
        loss(scores, target), naive(scores, target, COUNTS, tau),
        atol=1e-6, rtol=0,
    )  # fmt: skip


def test_value_by_hand():
    # Priors 3/4 and 1/4, equal logits, label 1: log(1 + 3) = log 4.
    loss = LogitAdjustedLoss(class_stats=[3, 1])
    value = loss(torch.zeros(1, 2), torch.tensor([1]))
    assert_close(value, torch.tensor(math.log(4)))


def test_tau_zero_is_cross_entropy():
    scores, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    loss = LogitAdjustedLoss(tau=0.0, class_stats=COUNTS)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


def test_balanced_classes_are_cross_entropy():
    scores, target = torch.randn(6, 4), torch.randint(0, 4, (6,))
    loss = LogitAdjustedLoss(class_stats=[5] * 4)
    assert_close(loss(scores, target), F.cross_entropy(scores, target))


def test_gradcheck():
    scores = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    offset = torch.from_numpy(ClassStats.single_label(COUNTS).log_prior())
    target = torch.randint(0, 4, (5,))
    soft = torch.rand(5, 4, dtype=torch.float64).softmax(1)
    for labels in (target, soft):
        assert torch.autograd.gradcheck(
            lambda z, labels=labels: logit_adjusted_loss(z, labels, offset),
            scores,
        )


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32]
)
@pytest.mark.parametrize('scale', [1, 100])
def test_finite_in_every_precision(dtype, scale):
    signs = torch.randint(0, 2, (8, 4)) * 2 - 1
    scores = (signs * scale).to(dtype).requires_grad_()
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    value = loss(scores, torch.arange(8) % 4)
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()


def test_extreme_logits_are_exact():
    # Label 1 is 200 below: its probability underflows, its loss does not.
    scores = torch.tensor([[100.0, -100.0]], requires_grad=True)
    value = LogitAdjustedLoss(class_stats=[1, 1])(scores, torch.tensor([1]))
    value.backward()
    assert_close(value, torch.tensor(200.0))
    assert_close(scores.grad, torch.tensor([[1.0, -1.0]]))


def test_soft_target_is_mixture_of_hard_targets():
    scores = torch.randn(6, 4)
    first, second = torch.randint(0, 4, (2, 6))
    mixed = 0.3 * F.one_hot(first, 4) + 0.7 * F.one_hot(second, 4)
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    expected = 0.3 * loss(scores, first) + 0.7 * loss(scores, second)
    assert_close(loss(scores, mixed), expected)


def test_weight_avg_factor_and_reduction():
    scores, target = torch.randn(4, 4), torch.arange(4)
    weight = torch.tensor([1.0, 0.0, 2.0, 0.5])
    loss = LogitAdjustedLoss(class_stats=COUNTS, loss_weight=3.0)
    each = loss(scores, target, reduction_override='none')
    assert each.shape == (4,)
    assert_close(
        loss(scores, target, weight, avg_factor=7.0),
        (each * weight).sum() / 7,
    )
    assert_close(loss(scores, target, reduction_override='sum'), each.sum())


def test_empty_batch_backpropagates():
    scores = torch.zeros(0, 4, requires_grad=True)
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    value = loss(scores, torch.zeros(0, dtype=torch.long), avg_factor=1.0)
    value.backward()
    assert value == 0
    assert scores.grad.shape == (0, 4)


def test_background_column_is_untouched():
    scores, target = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 4])
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    prior = torch.tensor(COUNTS) / sum(COUNTS)
    adjusted = scores.clone()
    adjusted[:, :4] += (prior * 4).log()
    assert_close(loss(scores, target), F.cross_entropy(adjusted, target))


def test_background_policies():
    scores, target = torch.randn(6, 5), torch.tensor([0, 1, 2, 3, 4, 4])
    plain = F.cross_entropy(scores, target)
    even = {'class_stats': [5] * 4}
    # Balanced classes leave the detector as it is under the default only.
    assert_close(LogitAdjustedLoss(**even)(scores, target), plain)
    for background, shift in (('sum', 1 / 4), (0.5, 1 / 2)):
        adjusted = scores.clone()
        adjusted[:, :4] += math.log(shift)
        loss = LogitAdjustedLoss(background=background, **even)
        assert_close(loss(scores, target), F.cross_entropy(adjusted, target))


def test_zero_count_policies():
    with pytest.raises(ValueError, match=r"no training image.*'one'"):
        LogitAdjustedLoss(class_stats=[5, 0, 1])
    loss = LogitAdjustedLoss(class_stats=[5, 0, 1], zero_count='one')
    same = LogitAdjustedLoss(class_stats=[5, 1, 1])
    assert_close(loss.offset, same.offset)


def test_instance_prior():
    stats = ClassStats([2, 2], [2, 6], 3)
    loss = LogitAdjustedLoss(class_stats=stats, by='instance')
    assert_close(loss.offset, (torch.tensor([0.25, 0.75]) * 2).log())


@pytest.mark.parametrize(
    'wrong',
    [
        {'tau': math.nan},
        {'tau': math.inf},
        {'reduction': 'average'},
        {'zero_count': 'skip'},
        {'background': 'auto'},
        {'background': -1.0},
        {'by': 'pixel'},
    ],
)
def test_bad_argument_raises_at_build(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        LogitAdjustedLoss(class_stats=COUNTS, **wrong)


def test_missing_stats_say_how_to_give_them():
    loss = LogitAdjustedLoss()
    with pytest.raises(ValueError, match=r'JSON.*ClassStatsHook.*checkpoint'):
        loss(torch.zeros(1, 4), torch.tensor([0]))


def test_bad_scores_and_targets():
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    with pytest.raises(ValueError, match=r'7 columns.*4 classes'):
        loss(torch.zeros(1, 7), torch.tensor([0]))
    for label in (-1, 4):
        with pytest.raises(ValueError, match=r'must lie in \[0, 4\)'):
            loss(torch.zeros(1, 4), torch.tensor([label]))
    with pytest.raises(ValueError, match='target has the shape'):
        loss(torch.zeros(2, 4), torch.zeros(3, dtype=torch.long))


def test_checkpoint_round_trip_and_config_wins():
    trained = LogitAdjustedLoss(class_stats=COUNTS)
    fresh = LogitAdjustedLoss()
    fresh.load_state_dict(trained.state_dict())
    assert fresh.class_stats == trained.class_stats
    assert_close(fresh.offset, trained.offset)
    given = LogitAdjustedLoss(class_stats=[1, 2, 3])
    given.load_state_dict(trained.state_dict())
    given.set_class_stats(trained.class_stats)
    assert given.class_stats.image_count.tolist() == [1, 2, 3]


def test_checkpoint_of_a_plain_loss_loads():
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    loss.load_state_dict({})
    assert loss.class_stats.image_count.tolist() == COUNTS


def test_stock_mmpretrain_head_and_mixup_target():
    head = MODELS.build(
        {
            'type': 'mmpretrain.LinearClsHead',
            'num_classes': 4,
            'in_channels': 8,
            'loss': {'type': 'mmlt.LogitAdjustedLoss', 'class_stats': COUNTS},
        }
    )
    from mmpretrain.structures import DataSample

    feats = (torch.randn(3, 8),)
    labels = [DataSample().set_gt_label(k) for k in (0, 1, 3)]
    expected = head.loss_module(head(feats), torch.tensor([0, 1, 3]))
    assert_close(head.loss(feats, labels)['loss'], expected)
    soft = [DataSample().set_gt_score(torch.full((4,), 0.25))] * 3
    assert head.loss(feats, soft)['loss'].isfinite()


def test_stock_mmdet_bbox_head():
    head = MODELS.build(
        {
            'type': 'mmdet.BBoxHead',
            'num_classes': 4,
            'in_channels': 8,
            'roi_feat_size': 1,
            'loss_cls': {
                'type': 'mmlt.LogitAdjustedLoss',
                'class_stats': COUNTS,
            },
        }
    )
    scores, deltas = torch.randn(6, 5), torch.zeros(6, 16)
    labels = torch.tensor([0, 1, 2, 3, 4, 4])
    losses = head.loss(
        scores, deltas, torch.zeros(6, 5), labels, torch.ones(6),
        torch.zeros(6, 4), torch.zeros(6, 4),
    )  # fmt: skip
    assert_close(losses['loss_cls'], head.loss_cls(scores, labels))


def test_compiles_in_one_graph():
    loss = LogitAdjustedLoss(class_stats=COUNTS)
    scores, target = torch.randn(6, 4), torch.arange(6) % 4
    compiled = torch.compile(loss, fullgraph=True, backend='eager')
    assert_close(compiled(scores, target), loss(scores, target))
