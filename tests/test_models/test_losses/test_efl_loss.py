import math

import pytest
import torch
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss
from torch.testing import assert_close

from mmlt.models.losses import EFLLoss

C = 4


def make_batch(seed=0, anchors=12):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(anchors, C, generator=generator) * 2
    return scores, torch.randint(0, C + 1, (anchors,), generator=generator)


def dense(**kwargs):
    return EFLLoss(C, use_sigmoid=True, **kwargs)


def naive(scores, labels, ratio, gamma=2.0, scale=8.0, alpha=0.25):
    """The loss of each anchor, element by element."""
    total = []
    for row, label in zip(scores, labels, strict=True):
        value = torch.zeros((), dtype=scores.dtype)
        for j in range(C):
            p = torch.sigmoid(row[j])
            p, a = (p, alpha) if label == j else (1 - p, 1 - alpha)
            focus = gamma + scale * (1 - min(float(ratio[j]), 1.0))
            value = value - a * focus / gamma * (1 - p) ** focus * p.log()
        total.append(value)
    return torch.stack(total)


def test_equals_the_formula():
    loss = dense().double().eval()
    loss.gradients = torch.rand(2, C, dtype=torch.float64)
    scores, labels = make_batch()
    ratio = loss.gradients[0] / loss.gradients[1]
    each = loss(scores.double(), labels, reduction_override='none')
    expected = naive(scores.double(), labels, ratio)
    assert_close(each, expected, rtol=1e-6, atol=1e-9)


def test_value_by_hand():
    """One positive at p = 1/2 with g = 0.5: gamma_j = 6."""
    loss = EFLLoss(1, use_sigmoid=True).eval()
    loss.gradients = torch.tensor([[1.0], [2.0]])
    value = loss(torch.zeros(1, 1), torch.tensor([0]))
    expected = torch.tensor(0.25 * 6 / 2 * 0.5**6 * math.log(2))
    assert_close(value, expected)


def test_is_the_focal_loss_in_the_first_step_and_without_scale():
    scores, labels = make_batch()
    target = torch.nn.functional.one_hot(labels, C + 1)[:, :-1]
    expected = py_sigmoid_focal_loss(scores, target, avg_factor=3.0)
    assert_close(dense()(scores, labels, avg_factor=3.0), expected)
    loss = dense(scale=0)
    loss.gradients = torch.rand(2, C)
    assert_close(loss(scores, labels, avg_factor=3.0), expected)


def test_counts_what_backward_finds():
    loss = dense().double()
    for step in range(3):
        scores, labels = make_batch(step)
        scores = scores.double().requires_grad_()
        weight = torch.rand(len(labels), dtype=torch.float64)
        before = loss.gradients.clone()
        loss(scores, labels, weight, avg_factor=1.0).backward()
        size = scores.grad.abs()
        positive = labels.unsqueeze(1) == torch.arange(C)
        expected = torch.stack(
            [(size * positive).sum(0), (size * ~positive).sum(0)]
        )
        assert_close(loss.gradients - before, expected)


def test_counts_in_training_only_and_resumes():
    loss = dense()
    loss(*make_batch())
    before = loss.gradients.clone()
    loss.eval()(*make_batch(1))
    assert_close(loss.gradients, before)
    resumed = dense()
    resumed.load_state_dict(loss.state_dict())
    assert_close(resumed(*make_batch(2)), loss.train()(*make_batch(2)))
    assert_close(resumed.gradients, loss.gradients)


def count_steps(share):
    """The sums after three steps on this share of each batch."""
    loss = dense()
    for step in range(3):
        scores, labels = make_batch(step)
        loss(scores[share], labels[share])
    return loss.gradients


def count_on(rank):
    return count_steps(slice(rank, None, 2)).tolist()


def test_two_ranks_count_as_one(on_two_ranks):
    first, second = on_two_ranks(count_on)
    assert first == second
    assert_close(torch.tensor(first), count_steps(slice(None)))


def test_rare_classes_get_the_larger_focus():
    loss = dense()
    loss.gradients = torch.tensor([[0, 1, 2, 4.0], [1, 2, 2, 2]])
    assert_close(loss.focus(), torch.tensor([10, 6, 2, 2.0]))


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(gamma=0), ValueError, 'gamma must be finite and > 0, got 0'),
        (dict(scale=-1), ValueError, 'scale .* -1'),
        (dict(alpha=2), ValueError, r'alpha must be in \[0, 1\], got 2'),
        (dict(alpha='x'), TypeError, "alpha must be a number, got 'x'"),
    ],
)
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        dense(**kwargs)
