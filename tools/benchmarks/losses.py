"""Forward + backward of the losses, as ratios to the stock loss.

    python tools/benchmarks/losses.py

All contestants of a row take turns in one run, on the same input; the table
shows the median time and the median of the ratios of neighbouring turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from mmlt.class_stats import ClassStats
from mmlt.models.losses import LogitAdjustedLoss, PairwiseMarginLoss


def long_tailed(num_classes: int) -> ClassStats:
    """Exponential counts from 5,000 down to 5."""
    decay = torch.linspace(0, 1, num_classes)
    return ClassStats.single_label((5000 * 0.001**decay).long().tolist())


def step(loss: Callable, scores: torch.Tensor, target: torch.Tensor) -> None:
    scores.grad = None
    loss(scores, target).backward()
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--turns', type=int, default=101)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    for batch, num_classes in ((1024, 1203), (1024, 8142)):
        stats = long_tailed(num_classes)
        scores = torch.randn(batch, num_classes, device=args.device)
        target = torch.randint(num_classes, (batch,), device=args.device)
        contestants = {
            'F.cross_entropy': F.cross_entropy,
            'LogitAdjustedLoss': LogitAdjustedLoss(class_stats=stats),
            'PairwiseMarginLoss': PairwiseMarginLoss(class_stats=stats),
        }
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
