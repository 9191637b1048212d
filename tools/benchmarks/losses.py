"""Forward and backward of the losses alone, as ratios to the stock loss.

    python tools/benchmarks/losses.py

For information: what counts is the training step, which ``train_step.py``
measures. The shapes are those that the configs have. All losses of a shape
take turns, on the same input; the table shows median times and the median of
the ratios of neighbouring turns. The last rows compare the accuracies that
BAGS logs in each step with its loss.
"""

import argparse
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.nn.functional as F
from cases import long_tailed
from timing import compare
from torch import Tensor, nn

from mmlt.class_stats.receiver import ClassStatsReceiver
from mmlt.registry import MODELS

SINGLE_LABEL = ('LogitAdjustedLoss', 'PairwiseMarginLoss')
MULTI_LABEL = (
    'DistributionBalancedLoss',
    'ClassBalancedFocalLoss',
    'ReweightedBCELoss',
    'MultiLabelLDAMLoss',
)
BOXES = (
    'BAGSLoss',
    'BoxFocalLoss',
    'EQLLoss',
    'EQLv2Loss',
    'SeesawLoss',
)


def step(loss: Callable, scores: Tensor, target: Tensor) -> None:
    """Forward and backward."""
    scores.grad = None
    value = loss(scores, target)
    if isinstance(value, dict):
        value = sum(value.values())
    value.backward()


def single_label(batch: int, num_classes: int, device: str) -> Iterator:
    """The stock loss and ours: name, what to time."""
    target = torch.randint(num_classes, (batch,), device=device)
    scores = torch.randn(batch, num_classes, device=device).requires_grad_()
    yield 'F.cross_entropy', partial(step, F.cross_entropy, scores, target)
    for name in SINGLE_LABEL:
        loss = build(name, num_classes, device)
        yield name, partial(step, loss, scores, target)


def multi_label(batch: int, num_classes: int, device: str) -> Iterator:
    """The same for images with three labels on average."""
    scores = torch.randn(batch, num_classes, device=device)
    target = (torch.rand_like(scores) < 3 / num_classes).float()
    scores.requires_grad_()
    bce = F.binary_cross_entropy_with_logits
    yield 'F.bce_with_logits', partial(step, bce, scores, target)
    for name in MULTI_LABEL:
        loss = build(name, num_classes, device)
        yield name, partial(step, loss, scores, target)


def boxes(num_rois: int, num_classes: int, device: str) -> Iterator:
    """The same for RoIs, a quarter of them foreground as in MMDetection."""
    target = box_labels(num_rois, num_classes, device)
    scores = torch.randn(num_rois, num_classes + 1, device=device)
    scores.requires_grad_()
    yield 'F.cross_entropy', partial(step, F.cross_entropy, scores, target)
    for name in BOXES:
        loss = build(name, num_classes, device)
        columns = loss.get_cls_channels(num_classes)
        scores = torch.randn(num_rois, columns, device=device)
        yield name, partial(step, loss, scores.requires_grad_(), target)


def bags_accuracy(num_rois: int, num_classes: int, device: str) -> Iterator:
    """The loss of BAGS, and the accuracies that it logs."""
    target = box_labels(num_rois, num_classes, device)
    loss = build('BAGSLoss', num_classes, device)
    scores = torch.randn(num_rois, loss.num_columns, device=device)
    scores.requires_grad_()
    yield 'BAGSLoss', partial(step, loss, scores, target)
    yield 'get_accuracy', partial(loss.get_accuracy, scores, target)


def box_labels(num_rois: int, num_classes: int, device: str) -> Tensor:
    """(R,) labels, C for the background."""
    target = torch.full((num_rois,), num_classes, device=device)
    foreground = num_rois // 4
    target[:foreground] = torch.randint(num_classes, (foreground,))
    return target


def build(name: str, num_classes: int, device: str) -> nn.Module:
    """The loss of this name, with class statistics where it takes them."""
    width = dict(num_classes=num_classes) if name in BOXES else {}
    loss = MODELS.build(dict(type=f'mmlt.{name}', **width))
    if isinstance(loss, ClassStatsReceiver):
        loss.set_class_stats(long_tailed(num_classes))
    return loss.to(device)


ROWS = (
    (single_label, 128, 10),
    (single_label, 128, 100),
    (single_label, 256, 1000),
    (single_label, 128, 8142),
    (multi_label, 32, 20),
    (multi_label, 32, 60),
    (multi_label, 32, 80),
    (boxes, 1024, 60),
    (boxes, 8192, 1203),
    (bags_accuracy, 1024, 60),
    (bags_accuracy, 8192, 1203),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--turns', type=int, default=31)
    parser.add_argument('--device', default='cpu')
    # As in PyTorch's own timer: the same on any processor.
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for kind, batch, num_classes in ROWS:
        contestants = dict(kind(batch, num_classes, args.device))
        print(f'{kind.__name__}, B={batch}, C={num_classes}, {args.device}')
        rows = compare(contestants, args.turns, args.device)
        for name, timing in rows.items():
            print(
                f'  {name:25s} {1e3 * timing.seconds:8.3f} ms  '
                f'x {timing.ratio:.2f}'
            )


if __name__ == '__main__':
    main()
