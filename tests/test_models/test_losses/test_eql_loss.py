import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.models.losses import EQLLoss

C = 3
# Of 10,000 images class 0 is in 5, class 1 in 11 and class 2 in 5,000.
STATS = dict(image_count=[5, 11, 5000], num_images=10000)


def naive(scores, labels, rare=(0,)):
    losses = []
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        total = 0.0
        for column, logit in enumerate(row):
            target = float(column == label)
            if column in rare and label != C and not target:
                continue
            total += F.binary_cross_entropy_with_logits(
                torch.tensor(logit, dtype=torch.float64),
                torch.tensor(target, dtype=torch.float64),
            ).item()
        losses.append(total)
    return torch.tensor(losses, dtype=torch.float64)


def make_batch():
    labels = torch.arange(12) % (C + 1)
    return torch.randn(12, C, dtype=torch.float64) * 3, labels


def test_equals_naive_loop():
    scores, labels = make_batch()
    loss = EQLLoss(C, class_stats=STATS)
    each = loss(scores, labels, reduction_override='none')
    assert_close(each, naive(scores, labels))
    weight = torch.arange(12.0)
    assert_close(
        loss(scores, labels, weight, avg_factor=5.0),
        (each * weight).sum() / 5,
    )


def test_frequency_zero_is_binary_cross_entropy():
    scores, labels = make_batch()
    loss = EQLLoss(C, frequency=0.0, class_stats=STATS)
    target = F.one_hot(labels, C + 1)[:, :-1].double()
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction='sum'
    )
    assert_close(loss(scores, labels), expected / 12)


def test_gradcheck():
    scores, labels = make_batch()
    loss = EQLLoss(C, class_stats=STATS)
    assert torch.autograd.gradcheck(
        lambda z: loss(z, labels), scores.requires_grad_()
    )


def test_empty_batch_and_extreme_logits():
    loss = EQLLoss(C, class_stats=STATS)
    scores = torch.zeros(0, C, requires_grad=True)
    value = loss(scores, torch.zeros(0, dtype=torch.long), avg_factor=1.0)
    value.backward()
    assert value == 0
    extreme = torch.tensor([[100.0, -100, 100]] * 2)
    assert loss(extreme, torch.tensor([1, C])).isfinite()


def test_contract_of_box_heads():
    loss = EQLLoss(C, class_stats=STATS)
    assert loss.get_cls_channels(C) == C
    scores = loss.get_activation(torch.tensor([[0.0, 1.0, -1.0]]))
    expected = torch.tensor([[0.0, 1.0, -1.0, -1.0]]).sigmoid()
    assert_close(scores, expected)  # sigmoid(-1) = 1 - sigmoid(1)
    accuracy = loss.get_accuracy(torch.eye(C), torch.tensor([0, 2, C]))
    assert_close(accuracy['acc_classes'], torch.tensor(50.0))


def test_bad_input():
    with pytest.raises(ValueError, match='frequency'):
        EQLLoss(C, frequency=2.0)
    with pytest.raises(ValueError, match='2 classes'):
        EQLLoss(C, class_stats=[1, 2])
    with pytest.raises(ValueError, match='no class statistics'):
        EQLLoss(C)(torch.zeros(1, C), torch.tensor([0]))
    with pytest.raises(ValueError, match=r'\(R, 3\)'):
        EQLLoss(C, class_stats=STATS)(torch.zeros(1, C + 1), torch.tensor([0]))
