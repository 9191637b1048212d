import pytest
import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.analysis.gradient_ratio import gradient_ratio, gradient_sums
from mmlt.models.losses import DistributionBalancedLoss

TARGET = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, -1], [1, 0, 0]]).double()


def test_sums_are_those_of_single_labels():
    logits = torch.randn(4, 3, dtype=torch.float64)
    loss = DistributionBalancedLoss(class_stats=[3, 1, 1])
    sums = gradient_sums(loss, logits, TARGET)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    leaf = logits.clone().requires_grad_()
    loss(leaf, TARGET, avg_factor=1).backward()
    for i, row in enumerate(TARGET.tolist()):
        for k, label in enumerate(row):
            if label >= 0:
                expected[int(1 - label), k] += leaf.grad[i, k].abs()
    assert_close(sums, expected)


@pytest.fixture
def model():
    """Logits are the features."""
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.ImageFeatures', in_channels=3),
            head=dict(
                type='MultiLabelLinearClsHead',
                num_classes=3,
                in_channels=3,
                loss=dict(type='CrossEntropyLoss', use_sigmoid=True),
            ),
            data_preprocessor=dict(num_classes=3, to_onehot=True),
        )
    )
    model.head.fc.weight.data = torch.eye(3)
    torch.nn.init.zeros_(model.head.fc.bias)
    return model


LABELS = [[0], [0, 1], [], [0]]


def batches(features):
    """Two of two images."""
    samples = [DataSample().set_gt_label(torch.tensor(k, dtype=torch.long))
               for k in LABELS]  # fmt: skip
    for part in (slice(0, 2), slice(2, 4)):
        yield dict(inputs=list(features[part]), data_samples=samples[part])


def test_ratio(model):
    """By hand: the gradient of binary cross entropy is p - y."""
    logits = torch.randn(4, 3)
    ratio = gradient_ratio(model, batches(logits))
    p = logits.sigmoid().double()
    first = p[2, 0] / (3 - p[[0, 1, 3], 0].sum())
    second = p[[0, 2, 3], 1].sum() / (1 - p[1, 1])
    nothing = torch.tensor(torch.nan)
    expected = torch.stack([first, second, nothing])
    assert_close(ratio, expected, equal_nan=True, check_dtype=False)


def test_logits_of_zero_count_the_labels(model):
    ratio = gradient_ratio(model, batches(torch.randn(4, 3)), trained=False)
    assert_close(ratio[:2].tolist(), [1 / 3, 3.0])
