"""No training step of a loss waits for the device, after the first one.

In the first batch the values of the targets are checked, on every device.

Tensors of the meta device have no values, so that whatever would wait for one
(``item``, ``nonzero``, a condition on a tensor) raises, as
``torch.cuda.set_sync_debug_mode('error')`` makes it do on a GPU.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    BAGSLoss,
    BoxFocalLoss,
    BoxLogitAdjustedLoss,
    ClassBalancedFocalLoss,
    DistributionBalancedLoss,
    ECMLoss,
    EFLLoss,
    EQLLoss,
    EQLv2Loss,
    FederatedLoss,
    LogitAdjustedLoss,
    MultiLabelLDAMLoss,
    PairwiseMarginLoss,
    ReweightedBCELoss,
    SeesawLoss,
    SigmoidSeesawLoss,
)

R, C = 6, 4
STATS = ClassStats([5, 50, 200, 2000], [5, 50, 300, 2000], 2100)
BOX_LOSSES = {
    'BAGS': lambda: BAGSLoss(C, class_stats=STATS),
    'BAGS without background': lambda: BAGSLoss(
        C, class_stats=STATS, background_group=False
    ),
    'BAGS, all others': lambda: BAGSLoss(
        C, class_stats=STATS, others_ratio=None
    ),
    'focal': lambda: BoxFocalLoss(C),
    'ECM': lambda: ECMLoss(C, class_stats=STATS),
    'EFL': lambda: EFLLoss(C),
    'EQL': lambda: EQLLoss(C, class_stats=STATS),
    'EQLv2': lambda: EQLv2Loss(C),
    'EQLv2 in dense heads': lambda: EQLv2Loss(C, use_sigmoid=True),
    'federated': lambda: FederatedLoss(C, num_sampled=2, class_stats=STATS),
    'logit-adjusted boxes': lambda: BoxLogitAdjustedLoss(C, class_stats=STATS),
    'Seesaw': lambda: SeesawLoss(num_classes=C),
    'Seesaw of sigmoids': lambda: SigmoidSeesawLoss(C),
}
LOSSES = {
    'logit-adjusted': LogitAdjustedLoss,
    'pairwise': PairwiseMarginLoss,
    'DB-Focal': DistributionBalancedLoss,
    're-weighted': ReweightedBCELoss,
    'CB-Focal': ClassBalancedFocalLoss,
    'LDAM': MultiLabelLDAMLoss,
}
SINGLE_LABEL = ('logit-adjusted', 'pairwise')


class NoCopies(TorchDispatchMode):
    """Raise for a copy to the device, which waits for it as well."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        sources = [
            each
            for each in args
            # PyTorch hands numbers over as tensors without dimensions.
            if isinstance(each, torch.Tensor) and each.dim()
        ]
        if isinstance(result, torch.Tensor) and result.is_meta:
            assert all(each.is_meta for each in sources), func
        return result


def step(loss, scores, *args):
    value = loss(scores, *args)
    if isinstance(value, dict):
        value = sum(each for key, each in value.items() if 'loss' in key)
    value.sum().backward()
    assert scores.grad.shape == scores.shape


def after_first_batch(loss):
    loss.is_first_batch = False
    return loss.to('meta')


def meta(*shape):
    return torch.empty(*shape, device='meta')


@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('name', BOX_LOSSES)
def test_losses_of_box_heads(name, weighted):
    loss = after_first_batch(BOX_LOSSES[name]())
    scores = meta(R, loss.get_cls_channels(C)).requires_grad_()
    labels = meta(R).long()
    with NoCopies():
        step(loss, scores, labels, *([meta(R)] if weighted else []))
        loss.get_activation(scores)
        loss.get_accuracy(scores, labels)


@pytest.mark.parametrize('name', LOSSES)
def test_losses_of_classifiers(name):
    loss = after_first_batch(LOSSES[name](class_stats=STATS))
    indices = meta(R).long()
    targets = [indices] if name in SINGLE_LABEL else [indices, meta(R, C)]
    for target in targets:
        with NoCopies():
            step(loss, meta(R, C).requires_grad_(), target)


@pytest.mark.parametrize('name', LOSSES)
def test_the_first_batch_is_checked_on_every_device(name):
    loss = LOSSES[name](class_stats=STATS).to('meta')
    with pytest.raises(RuntimeError, match='meta'):
        loss(meta(R, C), meta(R).long())
    with pytest.raises(ValueError, match='target holds'):
        LOSSES[name](class_stats=STATS)(
            torch.zeros(R, C), torch.full((R,), C + 1)
        )


def test_a_wait_would_be_noticed():
    with pytest.raises(RuntimeError):
        meta(3).max().item()
    with NoCopies(), pytest.raises(AssertionError):
        torch.ones(3).to('meta')
