import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.models.losses import SigmoidSeesawLoss

C = 3
COUNT = [900.0, 30.0, 4.0, 5000.0]


def make_loss(**kwargs):
    loss = SigmoidSeesawLoss(C, use_sigmoid=True, **kwargs).double().eval()
    loss.cum_samples = torch.tensor(COUNT, dtype=torch.float64)
    return loss


def make_batch(seed=0):
    torch.manual_seed(seed)
    return 3 * torch.randn(8, C).double(), torch.arange(8) % (C + 1)


@pytest.mark.parametrize('kwargs', [{}, dict(p=1.5, q=0.5, eps=0.2)])
def test_equals_the_formula(kwargs):
    p, q, eps = (
        kwargs.get(k, v) for k, v in dict(p=0.8, q=2, eps=0.01).items()
    )
    scores, labels = make_batch()
    expected = 0.0
    for row, i in zip(scores.tolist(), labels.tolist(), strict=True):
        sigma = [1 / (1 + math.exp(-z)) for z in row]
        for j in range(C):
            if j == i:
                expected -= math.log(sigma[j])
                continue
            factor = 1.0
            if i < C:
                factor *= min(1, COUNT[j] / COUNT[i]) ** p
                factor *= max(1, sigma[j] / max(sigma[i], eps)) ** q
            raised = math.exp(row[j]) * factor
            expected -= math.log(1 - raised / (1 + raised))
    value = float(make_loss(**kwargs)(scores, labels))
    assert value == pytest.approx(expected / 8, rel=1e-6)


def test_value_by_hand():
    """Half of each: 900 against 30 samples, by the power 1."""
    loss = make_loss(p=1.0)
    value = loss(torch.zeros(1, C), torch.tensor([0]))
    expected = math.log(2) + math.log(1 + 1 / 30) + math.log(1 + 4 / 900)
    assert_close(value, torch.tensor(expected))


def test_without_factors_and_of_the_background_it_is_binary_cross_entropy():
    scores, labels = make_batch()
    background = torch.full_like(labels, C)
    for loss, target in (
        (make_loss(p=0, q=0), labels),
        (make_loss(), background),
    ):
        positive = F.one_hot(target, C + 1)[:, :-1].double()
        expected = F.binary_cross_entropy_with_logits(
            scores, positive, reduction='sum'
        )
        assert_close(loss(scores, target), expected / 8)


def count_steps(share):
    """The counter after three steps in training, and one of validation."""
    loss = SigmoidSeesawLoss(C)
    for step in range(3):
        scores, labels = make_batch(step)
        loss(scores[share], labels[share])
    loss.eval()(scores, labels)
    return loss.cum_samples.tolist()


def count_on(rank):
    return count_steps(slice(rank, None, 2))


def test_counts_in_training_over_the_ranks(on_two_ranks):
    assert [*on_two_ranks(count_on)] == [[6.0] * 4] * 2
    assert count_steps(slice(None)) == [6.0] * 4


def test_resumes():
    loss, resumed = make_loss(), SigmoidSeesawLoss(C).double().eval()
    resumed.load_state_dict(loss.state_dict())
    assert_close(resumed(*make_batch()), loss(*make_batch()))
