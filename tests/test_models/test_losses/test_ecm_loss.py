import math

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import ECMLoss

C = 4
IMAGES, INSTANCES = [100, 30, 7, 1], [2000, 200, 40, 1]
STATS = ClassStats(IMAGES, INSTANCES, 110)


def make_batch():
    torch.manual_seed(0)
    return torch.randn(8, C).double(), torch.arange(8) % (C + 1)


@pytest.mark.parametrize('by', ['instance', 'image'])
def test_equals_the_paper_element_by_element(by):
    """Its score of f = z / 2, by weights 1 / margin."""
    count = INSTANCES if by == 'instance' else IMAGES
    loss = ECMLoss(C, by=by, class_stats=STATS).double()
    scores, labels = make_batch()
    expected = 0.0
    for row, label in zip(scores, labels, strict=True):
        for j in range(C):
            n, others = count[j] ** 0.25, (sum(count) - count[j]) ** 0.25
            plus = (n + others) / others
            minus = (n + others) / n
            up = plus * math.exp(row[j] / 2)
            down = minus * math.exp(-row[j] / 2)
            score = up / (up + down)
            expected -= math.log(score if label == j else 1 - score)
    value = float(loss(scores, labels))
    assert value == pytest.approx(expected / 8, rel=1e-6)


def test_value_by_hand():
    """n = 16 against 1: the offset is log 2, and that of the other -log 2."""
    loss = ECMLoss(2, class_stats=[16, 1])
    value = loss(torch.zeros(1, 2), torch.tensor([0]))
    assert_close(value, torch.tensor(math.log(3 / 2) + math.log(3 / 2)))


def test_two_balanced_classes_make_it_binary_cross_entropy():
    loss = ECMLoss(2, class_stats=[5, 5])
    scores, labels = torch.randn(3, 2), torch.tensor([0, 1, 2])
    target = F.one_hot(labels, 3)[:, :-1].float()
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction='sum'
    )
    assert_close(loss(scores, labels), expected / 3)


def test_a_class_without_instances_counts_as_one():
    with_none = ECMLoss(3, class_stats=[9, 3, 0])
    assert_close(with_none.offset, ECMLoss(3, class_stats=[9, 3, 1]).offset)


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"by must be .*'box'"):
        ECMLoss(C, by='box')
    with pytest.raises(ValueError, match='hold 1 class; ECMLoss'):
        ECMLoss(1, class_stats=[4])
