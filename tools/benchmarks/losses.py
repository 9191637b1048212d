"""Forward + backward of the losses, as ratios to the stock loss.

    python tools/benchmarks/losses.py

All contestants of a row take turns in one run, on the same input; the table
shows the median time and the median of the ratios of neighbouring turns. The
multi-label losses stand beside the literal sequence of tensor operations of
the formulas, BAGS beside the loss as the paper words it, one group after the
other.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from mmlt.class_stats import ClassStats
from mmlt.models.losses import (
    BAGSLoss,
    DistributionBalancedLoss,
    LogitAdjustedLoss,
    PairwiseMarginLoss,
    distribution_balanced_loss,
)


def long_tailed(
    num_classes: int, most: int = 5000, least: int = 5
) -> ClassStats:
    """Exponential counts from ``most`` down to ``least``."""
    decay = torch.linspace(0, 1, num_classes)
    count = most * (least / most) ** decay
    return ClassStats.single_label(count.round().long().tolist())


def step(loss: Callable, scores: torch.Tensor, target: torch.Tensor) -> None:
    scores.grad = None
    value = loss(scores, target)
    if isinstance(value, dict):
        value = torch.stack(list(value.values())).sum()
    value.backward()
    if scores.is_cuda:
        torch.cuda.synchronize()


def compare(
    contestants: dict[str, Callable],
    scores: torch.Tensor,
    target: torch.Tensor,
    turns: int,
) -> dict[str, tuple[float, float]]:
    """Median seconds and median ratio to the first, for each contestant."""
    for loss in contestants.values():
        step(loss, scores, target)
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(turns):
        for name, loss in contestants.items():
            start = time.perf_counter()
            step(loss, scores, target)
            times[name].append(time.perf_counter() - start)
    base = next(iter(times.values()))
    return {
        name: (
            statistics.median(values),
            statistics.median(
                value / reference
                for value, reference in zip(values, base, strict=True)
            ),
        )
        for name, values in times.items()
    }


class LiteralDBFocal(torch.nn.Module):
    """DB-Focal with the default settings, formula by formula."""

    def __init__(self, stats: ClassStats) -> None:
        super().__init__()
        count = torch.tensor(stats.image_count).float()
        self.register_buffer('count', count)
        self.num_images = stats.num_images

    def forward(
        self, scores: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        inverse = 1 / self.count
        ratio = inverse / (target * inverse).sum(dim=1, keepdim=True)
        weight = 0.1 + torch.sigmoid(10 * (ratio - 0.3))
        bias = -0.05 / 2 * torch.log(self.num_images / self.count - 1)
        moved = scores + bias
        logits = torch.where(target == 1, moved, 2 * moved)
        bce = F.binary_cross_entropy_with_logits(
            logits, target, reduction='none'
        )
        bce = torch.where(target == 1, bce, bce / 2)
        prob = torch.sigmoid(logits)
        prob = torch.where(target == 1, prob, 1 - prob)
        return (2 * (1 - prob) ** 2 * weight * bce).mean()


class LiteralBAGS:
    """The formula, one group after the other: labels, weights, columns."""

    def __init__(self, loss: BAGSLoss) -> None:
        stats = loss.class_stats
        groups = torch.from_numpy(stats.groups(loss.thresholds, 'instance'))
        device = loss.own.device
        self.ratio = loss.others_ratio
        self.num_classes = loss.num_classes
        self.columns, self.labels = [], []
        for group in range(loss.num_groups):
            classes = torch.nonzero(groups == group)[:, 0]
            others = torch.tensor([loss.num_classes + group])
            # 0 is "others"; the background is one of them.
            labels = torch.zeros(loss.num_classes + 1, dtype=torch.long)
            labels[classes] = torch.arange(1, len(classes) + 1)
            self.columns.append(torch.cat([others, classes]).to(device))
            self.labels.append(labels.to(device))

    def __call__(
        self, scores: torch.Tensor, target: torch.Tensor
    ) -> torch.Tensor:
        total = F.cross_entropy(
            scores[:, -2:], (target == self.num_classes).long()
        )
        for columns, labels in zip(self.columns, self.labels, strict=True):
            group_target = labels[target]
            weight = (group_target > 0).float()
            rest = torch.nonzero(group_target == 0)[:, 0]
            number = int(self.ratio * weight.sum())
            order = torch.randperm(len(rest), device=rest.device)
            weight[rest[order[:number]]] = 1
            loss = F.cross_entropy(
                scores[:, columns], group_target, reduction='none'
            )
            total = total + (weight * loss).sum() / weight.sum().clamp(min=1)
        return total


def single_label_row(batch: int, num_classes: int, device: str) -> tuple:
    """Contestants and input; the first one is the reference."""
    stats = long_tailed(num_classes)
    contestants = {
        'F.cross_entropy': F.cross_entropy,
        'LogitAdjustedLoss': LogitAdjustedLoss(class_stats=stats),
        'PairwiseMarginLoss': PairwiseMarginLoss(class_stats=stats),
    }
    target = torch.randint(num_classes, (batch,), device=device)
    return contestants, torch.randn(batch, num_classes, device=device), target


def multi_label_row(batch: int, num_classes: int, device: str) -> tuple:
    """Contestants and input with three labels an image on average."""
    stats = long_tailed(num_classes)
    module = DistributionBalancedLoss(class_stats=stats)

    def function(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return distribution_balanced_loss(
            scores,
            target,
            module.inverse_count,
            module.bias,
            factor=1 / scores.numel(),
            total=True,
        )

    contestants = {
        'F.bce_with_logits': F.binary_cross_entropy_with_logits,
        # Like the reference a function, which trusts its input.
        'DB-Focal': function,
        'DB-Focal, module': module,
        'DB-Focal, literal': LiteralDBFocal(stats),
    }
    scores = torch.randn(batch, num_classes, device=device)
    target = (torch.rand_like(scores) < 3 / num_classes).float()
    return contestants, scores, target


def bags_row(num_rois: int, num_classes: int, device: str) -> tuple:
    """Contestants and input, with a quarter of foreground as MMDetection."""
    stats = long_tailed(num_classes, 30000, 1)
    bags = BAGSLoss(num_classes, class_stats=stats).to(device)
    contestants = {
        'F.cross_entropy': F.cross_entropy,
        'BAGSLoss': bags,
        'BAGS, literal': LiteralBAGS(bags),
    }
    target = torch.full((num_rois,), num_classes, device=device)
    foreground = num_rois // 4
    target[:foreground] = torch.randint(
        num_classes, (foreground,), device=device
    )
    columns = bags.get_cls_channels(num_classes)
    return contestants, torch.randn(num_rois, columns, device=device), target


ROWS = (
    (single_label_row, 1024, 1203),
    (single_label_row, 1024, 8142),
    (multi_label_row, 256, 80),
    (multi_label_row, 64, 8142),
    (bags_row, 1024, 1203),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--turns', type=int, default=101)
    parser.add_argument('--device', default='cpu')
    # As in PyTorch's own timer: the same on any processor.
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for row, batch, num_classes in ROWS:
        contestants, scores, target = row(batch, num_classes, args.device)
        for loss in contestants.values():
            if isinstance(loss, torch.nn.Module):
                loss.to(args.device)
        print(f'B={batch}, C={num_classes}, {args.device}')
        rows = compare(
            contestants, scores.requires_grad_(), target, args.turns
        )
        for name, (seconds, ratio) in rows.items():
            print(f'  {name:20s} {seconds * 1e3:8.3f} ms  x {ratio:.2f}')


if __name__ == '__main__':
    main()
