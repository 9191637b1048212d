import copy
import math

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.losses import SeesawLoss as StockSeesawLoss
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.models.losses import SeesawLoss, seesaw_loss

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


def test_all_background_without_avg_factor():
    scores = torch.randn(5, C + 2, requires_grad=True)
    loss = SeesawLoss(num_classes=C)
    losses = loss(scores, torch.full((5,), C))
    assert losses['loss_cls_classes'] == 0
    expected = F.cross_entropy(scores[:, -2:], torch.ones(5).long())
    assert_close(losses['loss_cls_objectness'], expected)


def test_factors_by_hand():
    # Label 0 has been seen 4 times and class 1 once: log(1 / 4) / 2 = -log 2.
    # Class 2 scores twice the label: 3 log 2. The label has no factor.
    scores = torch.tensor([[0.0, 0.0, math.log(2)]])
    count = torch.tensor([4.0, 1.0, 9.0])
    value = seesaw_loss(scores, torch.tensor([0]), count, p=0.5, q=3.0)
    assert_close(value, torch.tensor([1 + 0.5 + 2 * 8]).log())
    # A label that scores less than eps counts as scoring it.
    scores = torch.tensor([[-100.0, 0.0]])
    value = seesaw_loss(scores, torch.tensor([0]), count[1:2].repeat(2), q=2.0)
    assert_close(value, torch.tensor([100 + 2 * math.log(100)]))


def test_without_factors_is_cross_entropy():
    scores, labels = make_batch()
    labels = labels.clamp(max=C - 1)
    value = seesaw_loss(scores[:, :C], labels, torch.rand(C) * 99, 0.0, 0.0)
    expected = F.cross_entropy(scores[:, :C], labels, reduction='none')
    assert_close(value, expected)


def test_compiles_in_one_graph_while_it_counts():
    torch.compiler.reset()
    loss, eager = SeesawLoss(num_classes=C), SeesawLoss(num_classes=C)
    compiled = torch.compile(loss, fullgraph=True, backend='aot_eager')
    for step in range(3):
        batch = make_batch(step)
        assert_close(compiled(*batch), eager(*batch))
    assert_close(loss.cum_samples, eager.cum_samples)
    assert loss.cum_samples.sum() == 48


class Largest(TorchDispatchMode):
    """The largest number of elements that an operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for each in result if isinstance(result, tuple) else [result]:
            if isinstance(each, torch.Tensor):
                self.elements = max(self.elements, each.numel())
        return result


def test_memory_is_linear_in_the_classes():
    loss = SeesawLoss(num_classes=1000)
    scores = torch.randn(3, 1002, requires_grad=True)
    with Largest() as largest:
        sum(loss(scores, torch.tensor([0, 999, 1000])).values()).backward()
    assert largest.elements == 3 * 1002


def test_bad_input():
    with pytest.raises(ValueError, match=r'\(R, 6\)'):
        SeesawLoss(num_classes=C)(torch.zeros(1, C), torch.tensor([0]))
    with pytest.raises(ValueError, match='use_sigmoid must be False'):
        SeesawLoss(True, num_classes=C)
    with pytest.raises(ValueError, match=r"avg_factor=7.*'sum'"):
        SeesawLoss(num_classes=C)(*make_batch(), None, 7.0, 'sum')
