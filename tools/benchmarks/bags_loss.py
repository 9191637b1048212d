"""Forward + backward of BAGSLoss, as ratios to the stock cross entropy.

    python tools/benchmarks/bags_loss.py
    python tools/benchmarks/bags_loss.py --device cuda --compile

The contestants take turns in one run, on the same input; the table shows the
median time and the median of the ratios of neighbouring turns. `literal` is
the loss as the paper words it, one group after the other.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from mmlt.class_stats import ClassStats
from mmlt.models.losses import BAGSLoss


def long_tailed(num_classes: int) -> ClassStats:
    """Exponential counts from 30,000 down to 1."""
    decay = torch.linspace(0, 1, num_classes)
    return ClassStats.single_label(
        (30000 ** (1 - decay)).long().clamp(min=1).tolist()
    )


class Literal:
    """One group at a time: re-label, find its RoIs, draw, pick columns."""

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

    def __call__(self, scores: torch.Tensor, target: torch.Tensor):
        total = F.cross_entropy(
            scores[:, -2:], (target == self.num_classes).long()
        )
        for columns, labels in zip(self.columns, self.labels, strict=True):
            new_target = labels[target]
            own = torch.nonzero(new_target)[:, 0]
            rest = torch.nonzero(new_target == 0)[:, 0]
            if not len(own):
                continue
            number = int(self.ratio * len(own))
            order = torch.randperm(len(rest), device=rest.device)
            rois = torch.cat([own, rest[order[:number]]])
            total = total + F.cross_entropy(
                scores[:, columns][rois], new_target[rois]
            )
        return total


def step(loss: Callable, scores: torch.Tensor, target: torch.Tensor) -> None:
    scores.grad = None
    value = loss(scores, target)
    if isinstance(value, dict):
        value = torch.stack(list(value.values())).sum()
    value.backward()
    if scores.is_cuda:
        torch.cuda.synchronize()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rois', type=int, default=1024)
    parser.add_argument('--classes', type=int, default=1203)
    parser.add_argument('--turns', type=int, default=51)
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--compile', action='store_true', help='torch.compile both losses'
    )
    args = parser.parse_args()

    torch.manual_seed(0)
    bags = BAGSLoss(args.classes, class_stats=long_tailed(args.classes))
    bags.to(args.device)
    columns = bags.get_cls_channels(args.classes)
    scores = torch.randn(args.rois, columns, device=args.device)
    # A quarter of foreground, as MMDetection's sampler draws them.
    target = torch.full((args.rois,), args.classes, device=args.device)
    foreground = args.rois // 4
    target[:foreground] = torch.randint(
        args.classes, (foreground,), device=args.device
    )
    stock = F.cross_entropy
    contestants = {'F.cross_entropy': stock, 'BAGSLoss': bags}
    if args.compile:
        contestants = {
            name: torch.compile(loss, fullgraph=True)
            for name, loss in contestants.items()
        }
    contestants['literal'] = Literal(bags)
    scores.requires_grad_()
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for loss in contestants.values():
        step(loss, scores, target)
    for _ in range(args.turns):
        for name, loss in contestants.items():
            start = time.perf_counter()
            step(loss, scores, target)
            times[name].append(time.perf_counter() - start)
    print(f'R={args.rois}, C={args.classes}, {args.device}')
    base = times['F.cross_entropy']
    for name, values in times.items():
        ratios = [a / b for a, b in zip(values, base, strict=True)]
        print(
            f'  {name:16s} {statistics.median(values) * 1e3:8.3f} ms  '
            f'x {statistics.median(ratios):.2f}'
        )


if __name__ == '__main__':
    main()
