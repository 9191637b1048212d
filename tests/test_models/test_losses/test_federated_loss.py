import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import FederatedLoss

C = 6
COUNTS = [100, 64, 25, 9, 4, 0]
STATS = ClassStats(COUNTS, COUNTS, 120)


def make_loss(**kwargs):
    return FederatedLoss(C, class_stats=STATS, **kwargs)


def make_batch(rois=9, classes=C + 1):
    torch.manual_seed(0)
    return torch.randn(rois, C), torch.randint(0, classes, (rois,))


def test_is_binary_cross_entropy_of_the_drawn_classes():
    loss = make_loss(num_sampled=3).double()
    scores, _ = make_batch()
    labels = torch.tensor([0, 0, 3, C, C, C, 3, C, 0])
    torch.manual_seed(1)
    drawn = loss.draw(labels)
    torch.manual_seed(1)
    value = loss(scores.double(), labels, avg_factor=9.0)
    expected = 0.0
    for row, label in zip(scores.double(), labels, strict=True):
        for j in range(C):
            if drawn[j]:
                p = row[j].sigmoid()
                expected = expected - (p if label == j else 1 - p).log()
    assert_close(value, expected / 9, rtol=1e-6, atol=0)
    assert drawn.sum() == 3
    assert drawn[[0, 3]].all()


def test_all_classes_make_it_binary_cross_entropy():
    loss = FederatedLoss(C, class_stats=[9] * C)
    scores, labels = make_batch()
    target = F.one_hot(labels, C + 1)[:, :-1].float()
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction='sum'
    )
    assert_close(loss(scores, labels), expected / 9)


def test_draws_as_detectron2_does_but_for_the_background():
    """Multinomial without replacement, by the root of the image counts."""
    loss = make_loss(num_sampled=3)
    labels = torch.tensor([1, C, C])
    prob = torch.tensor(COUNTS).sqrt()
    prob[1] = 0  # it is there
    torch.manual_seed(0)
    expected, drawn = torch.zeros(C), torch.zeros(C)
    rounds = 4000
    for _ in range(rounds):
        expected[torch.multinomial(prob, 2, replacement=False)] += 1
        drawn += loss.draw(labels)
    expected[1] = rounds
    assert_close(drawn / rounds, expected / rounds, rtol=0, atol=0.03)
    assert drawn[5] == 0


def test_all_classes_of_the_batch_stay():
    labels = torch.arange(C)
    assert make_loss(num_sampled=1).draw(labels).all()


def test_a_class_without_images_is_never_drawn():
    drawn = make_loss(num_sampled=50).draw(torch.tensor([C]))
    assert drawn.tolist() == [True] * 5 + [False]


def test_gradient_reaches_the_drawn_classes_only():
    loss = make_loss(num_sampled=2)
    scores, _ = make_batch()
    scores.requires_grad_()
    labels = torch.full((9,), C)
    torch.manual_seed(3)
    drawn = loss.draw(labels)
    torch.manual_seed(3)
    loss(scores, labels).backward()
    assert ((scores.grad != 0).any(0) == drawn).all()


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(num_sampled=0), ValueError, 'num_sampled must be >= 1, got 0'),
        (dict(num_sampled=2.5), TypeError, 'num_sampled.* 2.5'),
        (dict(power=-1), ValueError, 'power .* -1'),
    ],
)
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        make_loss(**kwargs)
