"""A step of BBN beside two plain passes of the same backbone.

    python tools/benchmarks/bbn_step.py [--backbone resnet50] [--device cuda]

Both see the same 2 B images: BBN as one batch [B uniform | B reversed], the
plain classifier as two batches of B. A step is forward, loss and backward.
The two take turns; the table shows median times and the median of the ratios
of neighbouring turns.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

BACKBONES = {
    'resnet32': (dict(type='mmlt.CIFARResNet', depth=32), 64, 32),
    'resnet50': (dict(type='ResNet', depth=50), 2048, 224),
}
"""Config, feature width and image size of each backbone."""


def build(backbone: dict, width: int, num_classes: int, bbn: bool):
    """Build the plain classifier or BBN around the same backbone."""
    if bbn:
        backbone = dict(type='mmlt.BilateralBackbone', backbone=backbone)
    return MODELS.build(
        dict(
            type='mmlt.BBNClassifier' if bbn else 'ImageClassifier',
            backbone=backbone,
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='mmlt.BBNHead' if bbn else 'LinearClsHead',
                num_classes=num_classes,
                in_channels=width,
            ),
        )
    )


def step(model, batches: list[tuple[torch.Tensor, list]]) -> None:
    """Forward, loss and backward of each batch."""
    model.zero_grad()
    for inputs, samples in batches:
        model(inputs, samples, mode='loss')['loss'].backward()
    if inputs.is_cuda:
        torch.cuda.synchronize()


def seconds(run: Callable[[], None]) -> float:
    """Time one call."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the median times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--backbone', choices=BACKBONES, default='resnet32')
    parser.add_argument('--batch', type=int, default=32, help='B')
    parser.add_argument('--num-classes', type=int, default=100)
    parser.add_argument('--turns', type=int, default=21)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()

    config, width, size = BACKBONES[args.backbone]
    inputs = torch.randn(2 * args.batch, 3, size, size, device=args.device)
    samples = [
        DataSample().set_gt_label(label).to(args.device)
        for label in torch.randint(args.num_classes, (2 * args.batch,))
    ]
    halves = [slice(args.batch), slice(args.batch, None)]
    contestants = []
    for bbn in (False, True):
        model = build(config, width, args.num_classes, bbn)
        model.to(args.device).train()
        batches = [(inputs, samples)]
        if not bbn:
            batches = [(inputs[half], samples[half]) for half in halves]
        contestants.append(lambda m=model, b=batches: step(m, b))

    for run in contestants:
        run()  # warm-up
    turns = [[seconds(run) for run in contestants] for _ in range(args.turns)]
    plain, bbn = (
        statistics.median(column) for column in zip(*turns, strict=True)
    )
    ratio = statistics.median(bbn / plain for plain, bbn in turns)
    print(f'{args.backbone}, B={args.batch}, {args.device}')
    print(f'  two plain passes {plain * 1e3:9.2f} ms')
    print(f'  BBN step         {bbn * 1e3:9.2f} ms  x {ratio:.2f}')


if __name__ == '__main__':
    main()
