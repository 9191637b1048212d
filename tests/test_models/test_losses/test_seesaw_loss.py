import copy

import pytest
import torch
from mmdet.models.losses import SeesawLoss as StockSeesawLoss
from torch.testing import assert_close

from mmlt.models.losses import SeesawLoss

C = 4


def make_batch(seed=0, rois=16):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rois, C + 2, generator=generator) * 2
    return scores, torch.randint(0, C + 1, (rois,), generator=generator)


@pytest.mark.parametrize('avg_factor', [None, 11.0])
@pytest.mark.parametrize('weighted', [False, True])
def test_equals_the_stock_loss_over_several_steps(weighted, avg_factor):
    loss = SeesawLoss(num_classes=C, loss_weight=2.0)
    stock = StockSeesawLoss(num_classes=C, loss_weight=2.0)
    weight = torch.rand(16) if weighted else None
    for step in range(4):
        scores, labels = make_batch(step)
        mine, theirs = (
            each(scores, labels, weight, avg_factor=avg_factor)
            for each in (loss, stock)
        )
        assert_close(mine, theirs)
        assert_close(
            loss.get_accuracy(scores, labels),
            {k: v[0] for k, v in stock.get_accuracy(scores, labels).items()},
        )
    assert_close(loss.cum_samples, stock.cum_samples)


def test_return_dict_off_is_the_sum():
    scores, labels = make_batch()
    parts = SeesawLoss(num_classes=C)(scores, labels)
    total = SeesawLoss(num_classes=C, return_dict=False)(scores, labels)
    assert_close(total, sum(parts.values()))


def test_counts_in_training_only_and_resumes():
    loss = SeesawLoss(num_classes=C)
    loss(*make_batch())
    before = loss.cum_samples.clone()
    assert before.sum() == 16
    loss.eval()(*make_batch(1))
    assert_close(loss.cum_samples, before)
    resumed = SeesawLoss(num_classes=C)
    resumed.load_state_dict(copy.deepcopy(loss.state_dict()))
    assert_close(resumed(*make_batch(2)), loss.train()(*make_batch(2)))


@pytest.mark.parametrize('rois', [0, 5])
def test_without_foreground_it_backpropagates(rois):
    scores = torch.randn(rois, C + 2, requires_grad=True)
    losses = SeesawLoss(num_classes=C)(
        scores, torch.full((rois,), C), avg_factor=1.0
    )
    assert losses['loss_cls_classes'] == 0
    sum(losses.values()).backward()
    assert scores.grad.isfinite().all()


def test_bad_input():
    with pytest.raises(ValueError, match=r'\(R, 6\)'):
        SeesawLoss(num_classes=C)(torch.zeros(1, C), torch.tensor([0]))
