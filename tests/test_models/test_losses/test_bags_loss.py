import copy

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses.bags_loss import BAGSLoss, suggest_thresholds
from mmlt.models.losses.group_softmax import group_cross_entropy, select_rois

# Groups 1 to 4 hold the classes {1}, {3, 4}, {0} and {2}; classes lie
# across the groups in no order.
COUNTS = [500, 3, 4000, 20, 99]
GROUPS = [[1], [3, 4], [0], [2]]
C, G = 5, 4
K = C + G + 2
FOREGROUND, BACKGROUND = C + G, C + G + 1


def make(**kwargs):
    kwargs.setdefault('class_stats', COUNTS)
    return BAGSLoss(C, **kwargs)


def make_batch(rois=40, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rois, K, generator=generator, dtype=dtype) * 3
    return scores, torch.randint(0, C + 1, (rois,), generator=generator)


def naive(scores, labels, weights):
    """The losses with all others, one group and RoI at a time."""
    weights = weights.tolist()
    total = sum(weights)
    losses = 0 * scores.sum()
    for row, label, weight in zip(scores, labels, weights, strict=True):
        target = int(label == C)
        pair = row[[FOREGROUND, BACKGROUND]]
        losses = losses - weight * pair.log_softmax(0)[target] / max(total, 1)
    for group, classes in enumerate(GROUPS):
        is_own = [int(label) in classes for label in labels]
        if not any(
            own and weight for own, weight in zip(is_own, weights, strict=True)
        ):
            continue
        for row, label, weight in zip(scores, labels, weights, strict=True):
            columns = [*classes, C + group]
            column = int(label) if int(label) in classes else C + group
            log_prob = row[columns].log_softmax(0)[columns.index(column)]
            losses = losses - weight * log_prob / max(total, 1)
    return losses


@pytest.mark.parametrize('weighted', [False, True])
def test_equals_naive_loop(weighted):
    scores, labels = make_batch()
    weights = torch.ones(len(labels), dtype=torch.float64)
    if weighted:
        weights = torch.arange(40, dtype=torch.float64) % 3
    scores.requires_grad_()
    losses = make(others_ratio=None)(scores, labels, weights)
    assert list(losses) == [f'loss_cls_group{i}' for i in range(G + 1)]
    expected = naive(scores, labels, weights)
    (expected_grad,) = torch.autograd.grad(expected, scores)
    (grad,) = torch.autograd.grad(sum(losses.values()), scores)
    assert_close(sum(losses.values()), expected, atol=1e-6, rtol=0)
    assert_close(grad, expected_grad, atol=1e-6, rtol=0)


def test_value_by_hand():
    # Equal logits, one RoI of class 3: the losses are the logarithms of the
    # columns that compete, log 2 for the background and log 3 for group 2;
    # the other groups have no RoI of their own.
    losses = make()(torch.zeros(1, K), torch.tensor([3]))
    values = torch.stack(list(losses.values()))
    expected = torch.tensor([2.0, 1.0, 3.0, 1.0, 1.0]).log()
    assert_close(values, expected)


def test_one_group_alone_is_cross_entropy():
    scores = torch.randn(9, C)
    labels = torch.randint(0, C, (9,))
    loss = make(thresholds=(), others=False, background_group=False)
    losses = loss(scores, labels)
    assert list(losses) == ['loss_cls_group1']
    assert_close(losses['loss_cls_group1'], F.cross_entropy(scores, labels))


@pytest.mark.parametrize('spread', [1, 300])
def test_gradcheck(spread):
    """Also where logits are so far from 0 that exp would overflow."""
    scores, labels = make_batch(6)
    loss = make()
    column = loss.column[labels]
    scores = scores + spread * loss.softmax
    assert torch.autograd.gradcheck(
        lambda z: group_cross_entropy(z, column, loss.layout),
        scores.requires_grad_(),
    )


@pytest.mark.parametrize(
    'spread', [-1000, -100, -30, -20, -15, 0, 15, 20, 30, 100, 1000]
)
def test_large_logits(spread):
    """With or without a peak for each softmax: the same in float32."""
    scores, labels = make_batch(50)
    loss = make()
    scores = scores + spread * loss.softmax
    column = loss.column[labels]
    double = scores.clone().requires_grad_()
    single = scores.float().requires_grad_()
    expected = group_cross_entropy(double, column, loss.layout)
    losses = group_cross_entropy(single, column, loss.layout)
    for group in range(len(loss.group_sizes)):
        columns = loss.softmax == group
        lse = scores[:, columns].logsumexp(dim=1)
        reference = lse - scores.gather(1, column)[:, group]
        assert_close(expected[:, group], reference)
    tolerance = dict(rtol=1e-5, atol=1e-6 * max(abs(spread), 1))
    assert_close(losses.double(), expected, **tolerance)
    losses.sum().backward()
    expected.sum().backward()
    assert_close(single.grad.double(), double.grad, **tolerance)


@pytest.mark.parametrize('ratio', [0.0, 0.3, 1.0, 8.0])
def test_number_of_sampled_others_is_exact(ratio):
    own = torch.zeros(200, 4, dtype=torch.bool)
    for group, number in enumerate((0, 1, 7, 60)):
        own[torch.randperm(200)[:number], group] = True
    valid = torch.ones(200, dtype=torch.bool)
    valid[::10] = False
    selected = select_rois(own, valid, ratio)
    num_own = (own & valid.unsqueeze(1)).sum(0).tolist()
    num_rest = (~own & valid.unsqueeze(1)).sum(0).tolist()
    expected = [
        n + min(int(ratio * n), rest)
        for n, rest in zip(num_own, num_rest, strict=True)
    ]
    assert selected.sum(0).tolist() == expected
    assert not selected[~valid].any()
    assert selected[own & valid.unsqueeze(1)].all()


def test_others_are_drawn_uniformly_and_anew_for_each_group():
    own = torch.zeros(10, 2, dtype=torch.bool)
    own[0] = True
    valid = torch.ones(10, dtype=torch.bool)
    torch.manual_seed(0)
    draws = torch.stack([select_rois(own, valid, 3) for _ in range(3000)])
    share = draws.double().mean(0)[1:]
    # 3 of 9; the standard deviation of a share is 0.009.
    assert_close(share, torch.full_like(share, 1 / 3), atol=0.04, rtol=0)
    both = draws.all(dim=2).double().mean(0)[1:]
    assert_close(both, torch.full_like(both, 1 / 9), atol=0.03, rtol=0)


def test_sampled_others_enter_the_loss():
    # One RoI of class 3 and 20 of the background: 8 others, each with the
    # loss log 3, and divided by 9.
    labels = torch.tensor([3] + [C] * 20)
    scores = torch.zeros(21, K)
    scores[1:, C + 1] = 1.0
    value = make()(scores, labels)['loss_cls_group2']
    own = torch.tensor(3.0).log()
    other = -scores[1, [3, 4, C + 1]].log_softmax(0)[2]
    assert_close(value, (own + 8 * other) / 9)


def test_rois_of_weight_zero_change_nothing():
    scores, labels = make_batch()
    loss = make(others_ratio=None)
    weight = torch.ones(60, dtype=torch.float64)
    weight[40:] = 0
    more = torch.cat([scores, torch.randn(20, K) * 50])
    padded = loss(more, torch.cat([labels, labels[:20]]), weight)
    for name, value in loss(scores, labels).items():
        assert_close(padded[name], value)


def test_scores_follow_the_formula():
    scores, _ = make_batch(7)
    result = make().get_activation(scores)
    pair = scores[:, [FOREGROUND, BACKGROUND]].softmax(1)
    expected = torch.empty(7, C + 1, dtype=torch.float64)
    for group, classes in enumerate(GROUPS):
        columns = [*classes, C + group]
        prob = scores[:, columns].softmax(1)[:, :-1]
        expected[:, classes] = prob * pair[:, :1]
    expected[:, -1] = pair[:, 1]
    assert_close(result, expected)


def test_scores_without_background_group():
    scores = torch.randn(7, C + G)
    result = make(background_group=False).get_activation(scores)
    no_class = torch.ones(7)
    for group, classes in enumerate(GROUPS):
        prob = scores[:, [*classes, C + group]].softmax(1)
        assert_close(result[:, classes], prob[:, :-1])
        no_class = no_class * prob[:, -1]
    assert_close(result[:, -1], no_class)


def test_scores_without_others():
    scores = torch.randn(7, C + 2)
    result = make(others=False).get_activation(scores)
    # Classes 0, 1 and 2 are alone in their groups.
    foreground = scores[:, -2:].softmax(1)[:, 0]
    for alone in (0, 1, 2):
        assert_close(result[:, alone], foreground)
    assert (
        not make(others=False, background_group=False)
        .get_activation(scores[:, :C])[:, -1]
        .any()
    )


def test_without_others_a_group_sees_its_own_rois_only():
    scores = torch.randn(12, C + 2, requires_grad=True)
    labels = torch.tensor([3, 4] + [C] * 10)
    losses = make(others=False)(scores, labels)
    expected = F.cross_entropy(scores[:2, 3:5], torch.tensor([0, 1]))
    assert_close(losses['loss_cls_group2'], expected)


@pytest.mark.parametrize('ratio', [8.0, None])
@pytest.mark.parametrize('rois', [0, 5])
def test_without_foreground_it_backpropagates(ratio, rois):
    scores = torch.randn(rois, K, requires_grad=True)
    losses = make(others_ratio=ratio)(scores, torch.full((rois,), C))
    for group in range(1, G + 1):
        assert losses[f'loss_cls_group{group}'] == 0
    sum(losses.values()).backward()
    assert not scores.grad[:, :-2].any()
    assert bool(scores.grad[:, -2:].any()) == (rois > 0)


@pytest.mark.parametrize(
    'dtype', [torch.float16, torch.bfloat16, torch.float32]
)
def test_finite_in_every_precision(dtype):
    scores, labels = make_batch()
    scores = (scores.sign() * 100).to(dtype).requires_grad_()
    loss = make()
    total = sum(loss(scores, labels).values())
    total.backward()
    assert total.isfinite()
    assert scores.grad.isfinite().all()
    assert loss.get_activation(scores).isfinite().all()


def test_a_group_far_below_the_others_is_exact():
    scores = torch.full((1, K), 100.0)
    scores[0, [3, 4, C + 1]] = torch.tensor([-300.0, -302.0, -500.0])
    loss = make()
    value = loss(scores, torch.tensor([4]))['loss_cls_group2']
    assert_close(value, F.softplus(torch.tensor(2.0)))


def test_under_autocast():
    layer = torch.nn.Linear(8, K)
    labels = torch.randint(0, C + 1, (16,))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        scores = layer(torch.randn(16, 8))
        total = sum(make()(scores, labels).values())
    total.backward()
    assert total.dtype == torch.float32
    assert layer.weight.grad.isfinite().all()


def test_compiles_without_graph_break():
    loss = make(others_ratio=None)
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    scores, labels = make_batch(dtype=torch.float32)
    scores.requires_grad_()
    result, expected = compiled(scores, labels), loss(scores, labels)
    for name, value in expected.items():
        assert_close(result[name], value)
    (grad,) = torch.autograd.grad(sum(result.values()), scores)
    (expected_grad,) = torch.autograd.grad(sum(expected.values()), scores)
    assert_close(grad, expected_grad)
    sampled = torch.compile(make(), fullgraph=True, backend='aot_eager')
    assert sum(sampled(scores, labels).values()).isfinite()


def test_reduction_override_and_loss_weight():
    scores, labels = make_batch()
    loss = make(others_ratio=None, loss_weight=3.0)
    mean = loss(scores, labels, avg_factor=7.0)
    each = loss(scores, labels, reduction_override='none')
    total = loss(scores, labels, reduction_override='sum')
    for name, value in each.items():
        assert value.shape == (40,)
        assert_close(value.sum(), total[name])
        assert_close(total[name] / 40, mean[name])
    plain = make(others_ratio=None)(scores, labels)
    for name, value in plain.items():
        assert_close(3 * value, mean[name])


def test_accuracy():
    """Three boxes, of which that of class 1 is taken for another group's."""
    scores = torch.zeros(5, K)
    labels = torch.tensor([0, 1, 2, C, C])
    scores[:3, FOREGROUND] = 5
    scores[3, BACKGROUND] = 5
    scores[4, FOREGROUND] = 5
    scores[0, 0] = scores[1, 0] = scores[2, 2] = 9
    scores[1, C] = 1
    accuracy = make().get_accuracy(scores, labels)
    assert_close(accuracy.pop('acc_classes'), torch.tensor(200 / 3))
    assert accuracy.pop('acc_foreground') == 80
    for index, classes in enumerate(GROUPS, start=1):
        correct = [label != 1 for label in range(3) if label in classes]
        expected = 100 * sum(correct) / max(len(correct), 1)
        assert accuracy.pop(f'acc_group{index}') == expected
    assert not accuracy
    none = make().get_accuracy(scores[3:], labels[3:])
    assert none['acc_classes'] == 0


@pytest.mark.parametrize(
    ('kwargs', 'columns'),
    [
        ({}, C + G + 2),
        (dict(thresholds=(100,)), C + 2 + 2),
        (dict(others=False), C + 2),
        (dict(background_group=False), C + G),
    ],
)
def test_columns_are_known_without_statistics(kwargs, columns):
    loss = BAGSLoss(C, **kwargs)
    assert loss.get_cls_channels(C) == columns
    with pytest.raises(ValueError, match='no class statistics'):
        loss(torch.zeros(1, columns), torch.tensor([0]))


def test_empty_group_warns_and_suggests_better_thresholds():
    with pytest.warns(UserWarning, match=r'\[5, 0, 0, 0\]') as record:
        loss = make(class_stats=[1, 2, 3, 4, 5])
    better = suggest_thresholds(loss.class_stats, G)
    assert f'thresholds={better}' in str(record[0].message)
    sizes = torch.bincount(
        torch.from_numpy(loss.class_stats.groups(better, 'instance'))
    )
    assert sizes.tolist() == [1, 1, 1, 2]
    # The empty groups keep their column and add nothing.
    losses = loss(torch.randn(6, K), torch.arange(6))
    assert len(losses) == G + 1
    assert losses['loss_cls_group4'] == 0


@pytest.mark.filterwarnings('ignore:BAGSLoss')
def test_empty_group_without_others():
    loss = make(class_stats=[1, 1, 1, 50, 50], others=False)
    losses = loss(torch.randn(6, C + 2), torch.arange(6))
    assert list(losses) == [
        'loss_cls_group0', 'loss_cls_group1', 'loss_cls_group2',
    ]  # fmt: skip


def test_suggested_thresholds_when_counts_are_equal():
    stats = ClassStats.single_label([0, 0, 0, 7, 7, 7])
    assert suggest_thresholds(stats, 4) == (7,)


def test_groups_by_instances_or_images():
    stats = ClassStats([5, 50, 500, 20, 20], [50, 5000, 500, 20, 20], 600)
    with pytest.warns(UserWarning, match=r'\[0, 3, 1, 1\]'):
        make(class_stats=stats)
    with pytest.warns(UserWarning, match=r'\[1, 3, 1, 0\]'):
        make(class_stats=stats, by='image')


def test_checkpoint_carries_the_groups():
    source, loss = make(), BAGSLoss(C)
    loss.load_state_dict(copy.deepcopy(source.state_dict()))
    scores, _ = make_batch(3)
    assert_close(loss.get_activation(scores), source.get_activation(scores))


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(thresholds=(10, 10)), 'rise'),
        (dict(thresholds=(100, 10)), 'rise'),
        (dict(others_ratio=-1), 'others_ratio'),
        (dict(by='box'), 'by'),
        (dict(num_classes=0), 'num_classes'),
        (dict(class_stats=[1, 2]), '2 classes'),
        (
            dict(class_stats=dict(image_count=[1] * 5, num_images=9)),
            'instance',
        ),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        BAGSLoss(**{'num_classes': C, **kwargs})


def test_bad_input():
    loss = make()
    with pytest.raises(ValueError, match=r'cls_score.*\(R, 11\)'):
        loss(torch.zeros(2, C + 1), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match='soft'):
        loss(torch.zeros(2, K), torch.zeros(2, K))
    with pytest.raises(ValueError, match='0 to 6'):
        loss(torch.zeros(2, K), torch.tensor([0, 6]))
    with pytest.raises(ValueError, match='-1 to 1'):
        loss(torch.zeros(2, K), torch.tensor([-1, 1]))
    with pytest.raises(ValueError, match='num_classes=80'):
        loss.get_cls_channels(80)


def test_builds_from_config():
    loss = MODELS.build(dict(type='mmlt.BAGSLoss', num_classes=C))
    assert isinstance(loss, BAGSLoss)
