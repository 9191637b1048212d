import math
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from mmlt.class_stats import ClassStats
from mmlt.models.losses import ClassBalancedFocalLoss

STATS = ClassStats([100, 20, 3, 0], None, 110)
COUNTS = [100, 20, 3, 1]  # an empty class counts one image
TARGET = torch.tensor(
    [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
).double()
BETA = 0.99


def effective(n):
    return (1 - BETA) / (1 - BETA**n)


def naive_weight(mode, labels, k):
    present = [n for n, on in zip(COUNTS, labels, strict=True) if on]
    mean = sum(map(effective, COUNTS)) / 4
    if mode == 'by_class':
        return effective(COUNTS[k]) / mean
    if not present:
        return 1.0
    weight = {
        'average_n': effective(sum(present) / len(present)),
        'average_w': sum(map(effective, present)) / len(present),
        'min_n': effective(min(present)),
    }[mode]
    return weight / mean


@pytest.mark.parametrize(
    'mode', ['by_class', 'average_n', 'average_w', 'min_n']
)
@pytest.mark.parametrize('gamma', [0.0, 1.5, 2.0])
def test_equals_naive_loop(mode, gamma):
    scores = torch.randn(4, 4, dtype=torch.float64)
    expected = torch.zeros_like(scores)
    for i, labels in enumerate(TARGET.tolist()):
        for k, y in enumerate(labels):
            p = 1 / (1 + math.exp(-scores[i, k].item()))
            p = p if y else 1 - p
            loss = -2 * (1 - p) ** gamma * math.log(p)
            expected[i, k] = naive_weight(mode, labels, k) * loss
    loss = ClassBalancedFocalLoss(
        mode, BETA, dict(gamma=gamma), class_stats=STATS, reduction='none'
    )
    assert_close(loss(scores, TARGET), expected, atol=1e-6, rtol=1e-6)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, TARGET), scores)


def test_equal_classes_without_focal_are_binary_cross_entropy():
    scores = torch.randn(4, 4, dtype=torch.float64)
    stats = ClassStats([5] * 4, None, 9)
    loss = ClassBalancedFocalLoss(focal=None, class_stats=stats)
    expected = F.binary_cross_entropy_with_logits(scores, TARGET)
    assert_close(loss(scores, TARGET), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.skipif(not shutil.which('g++'), reason='nothing to compile with')
@pytest.mark.parametrize(
    'mode', ['by_class', 'average_n', 'average_w', 'min_n']
)
def test_compiled_equals_eager(mode):
    torch.compiler.reset()
    counts = np.random.default_rng(0).integers(1, 10**5, 60)
    loss = ClassBalancedFocalLoss(
        mode,
        focal=None,
        class_stats=dict(image_count=counts, num_images=200_000),
        reduction='none',
    )
    scores = torch.randn(64, 60) * 4
    target = (torch.rand(64, 60) < 0.1).float()
    value = torch.compile(loss, fullgraph=True)(scores, target)
    assert_close(value, loss(scores, target), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ('wrong', 'match'),
    [
        (dict(mode='max_n'), "mode must be one of .*got 'max_n'"),
        (dict(beta=1.0), r'beta must be in \[0, 1\), got 1.0'),
        (dict(beta=-0.1), 'beta must be finite and >= 0'),
        (dict(focal=dict(alpha=0.25)), 'focal has unknown keys'),
    ],
)
def test_bad_argument(wrong, match):
    with pytest.raises(ValueError, match=match):
        ClassBalancedFocalLoss(**wrong)
