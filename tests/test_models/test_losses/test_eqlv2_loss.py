import copy
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from mmdet.models.losses import EQLV2Loss as StockEQLv2Loss
from torch.testing import assert_close

from mmlt.models.losses import EQLv2Loss, SeesawLoss

C = 4


def make_batch(seed=0, rois=16, columns=C + 1):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rois, columns, generator=generator) * 2
    return scores, torch.randint(0, C + 1, (rois,), generator=generator)


def test_equals_the_stock_loss_over_several_steps():
    loss, stock = EQLv2Loss(C), StockEQLv2Loss(num_classes=C)
    for step in range(4):
        scores, labels = make_batch(step)
        assert_close(loss(scores, labels), stock(scores.clone(), labels))
    assert_close(loss.gradients[0], stock.pos_grad)
    assert_close(loss.gradients[1], stock.neg_grad)


def test_weights_by_hand():
    loss = EQLv2Loss(C)
    loss.gradients = torch.tensor([[0.8, 0, 4, 0], [1.0, 1, 1, 0]])
    of_positives, of_negatives = loss.class_weights()
    low = 1 / (1 + math.exp(12 * 0.8))
    expected = torch.tensor([0.5, low, 1.0, 1.0])
    assert_close(of_negatives, expected)
    assert_close(of_positives, 1 + 4 * (1 - expected))


def test_first_step_is_binary_cross_entropy():
    scores, labels = make_batch()
    target = F.one_hot(labels, C + 1).float()
    expected = F.binary_cross_entropy_with_logits(
        scores, target, reduction='sum'
    )
    assert_close(EQLv2Loss(C)(scores, labels), expected / 16)


def test_scores_match_the_training():
    scores, _ = make_batch()
    prob = scores.sigmoid()
    result = EQLv2Loss(C).get_activation(scores)
    assert_close(result[:, :C], prob[:, :C] * (1 - prob[:, C:]))
    assert_close(result[:, C], prob[:, C])


def test_weight_zero_takes_no_part():
    scores, labels = make_batch()
    weight = torch.ones(16)
    weight[8:] = 0
    loss, half = EQLv2Loss(C), EQLv2Loss(C)
    assert_close(
        loss(scores, labels, weight, avg_factor=8.0),
        half(scores[:8], labels[:8]),
    )
    assert_close(loss.gradients, half.gradients)


def test_counts_in_training_only_and_resumes():
    loss = EQLv2Loss(C)
    loss(*make_batch())
    before = loss.gradients.clone()
    loss.eval()(*make_batch(1))
    assert_close(loss.gradients, before)
    resumed = EQLv2Loss(C)
    resumed.load_state_dict(copy.deepcopy(loss.state_dict()))
    assert_close(resumed(*make_batch(2)), loss.train()(*make_batch(2)))


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_step_that_is_not_finite_is_not_counted(value):
    loss, clean = EQLv2Loss(C), EQLv2Loss(C)
    for each in (loss, clean):
        each(*make_batch())
    scores, labels = make_batch(1)
    weight = torch.ones(16)
    weight[3] = value
    loss(scores, labels, weight)
    scores[3, 2] = math.nan
    assert not loss(scores, labels).isfinite()
    assert_close(loss.gradients, clean.gradients, rtol=0, atol=0)
    assert_close(loss(*make_batch(2)), clean(*make_batch(2)))
    assert_close(loss.gradients, clean.gradients)


def count_with_nan(rank):
    """Ratios after a good step, and one in which rank 1 has a NaN."""
    loss = EQLv2Loss(C)
    for step in range(2):
        scores, labels = make_batch(2 * step + rank)
        if step and rank:
            scores[0, 0] = math.nan
        loss(scores, labels)
    return loss.gradients.tolist()


def test_all_ranks_leave_the_same_step_out(on_two_ranks):
    first, second = on_two_ranks(count_with_nan)
    assert first == second
    expected = torch.zeros(2, C)
    for seed in range(2):
        loss = EQLv2Loss(C)
        loss(*make_batch(seed))
        expected += loss.gradients
    assert_close(torch.tensor(first), expected)


def test_gradcheck():
    scores, labels = make_batch()
    loss = EQLv2Loss(C).double().eval()
    loss.gradients = torch.rand(2, C, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda z: loss(z, labels), scores.double().requires_grad_()
    )


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_finite_in_half_precision(dtype):
    scores, labels = make_batch()
    scores = (scores.sign() * 100).to(dtype).requires_grad_()
    loss = EQLv2Loss(C)
    value = loss(scores, labels)
    value.backward()
    assert value.isfinite()
    assert scores.grad.isfinite().all()
    assert loss.gradients.isfinite().all()


def test_empty_batch_backpropagates():
    scores = torch.zeros(0, C + 1, requires_grad=True)
    loss = EQLv2Loss(C)
    loss(scores, torch.zeros(0, dtype=torch.long), avg_factor=1.0).backward()
    assert not loss.gradients.any()


def test_accuracy_leaves_the_background_out():
    scores = torch.eye(C + 1)[[0, 3, C]]
    accuracy = EQLv2Loss(C).get_accuracy(scores, torch.tensor([0, 1, C]))
    assert_close(accuracy['acc_classes'], torch.tensor(50.0))


def test_two_processes_count_as_one(tmp_path):
    """The counters of EQL v2 and Seesaw; the ranks see half a batch each."""
    ranks = [
        subprocess.Popen([sys.executable, __file__, str(rank), tmp_path])
        for rank in range(2)
    ]
    try:
        assert [rank.wait(timeout=240) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    expected = count_steps(slice(None))
    for rank in range(2):
        actual = torch.load(tmp_path / f'{rank}.pth', weights_only=True)
        assert_close(actual, expected)


def count_steps(share):
    """The counters after three steps on this share of each batch."""
    eqlv2, seesaw = EQLv2Loss(C), SeesawLoss(num_classes=C)
    for step in range(3):
        scores, labels = make_batch(step, columns=C + 2)
        seesaw(scores[share], labels[share])
        eqlv2(scores[share, :-1], labels[share])
    return eqlv2.gradients, seesaw.cum_samples


def run_rank(rank, folder):
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/store', rank=rank, world_size=2
    )
    torch.save(count_steps(slice(rank, None, 2)), f'{folder}/{rank}.pth')
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    torch.set_num_threads(1)
    run_rank(int(sys.argv[1]), sys.argv[2])
