"""A step of BBN beside two plain passes of the same backbone.

    python tools/benchmarks/bbn_step.py [--backbone resnet50] [--device cuda]

Both see the same 2 B images: BBN as one batch [B uniform | B reversed], the
plain classifier as two batches of B. A step is forward, loss and backward.
The two take turns; the table shows median times and the median of the ratios
of neighbouring turns.
"""

import argparse
from functools import partial

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from timing import compare

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


def main() -> None:
    """Print the median times and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--backbone', choices=BACKBONES, default='resnet32')
    parser.add_argument('--batch', type=int, default=32, help='B')
    parser.add_argument('--num-classes', type=int, default=100)
    parser.add_argument('--turns', type=int, default=21)
    parser.add_argument('--device', default='cpu')
    # As in PyTorch's own timer: the same on any processor.
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    config, width, size = BACKBONES[args.backbone]
    inputs = torch.randn(2 * args.batch, 3, size, size, device=args.device)
    samples = [
        DataSample().set_gt_label(label).to(args.device)
        for label in torch.randint(args.num_classes, (2 * args.batch,))
    ]
    halves = [slice(args.batch), slice(args.batch, None)]
    contestants = {}
    for name, bbn in (('two plain passes', False), ('BBN step', True)):
        model = build(config, width, args.num_classes, bbn)
        model.to(args.device).train()
        batches = [(inputs, samples)]
        if not bbn:
            batches = [(inputs[half], samples[half]) for half in halves]
        contestants[name] = partial(step, model, batches)

    print(f'{args.backbone}, B={args.batch}, {args.device}')
    timings = compare(contestants, args.turns, args.device)
    for name, timing in timings.items():
        print(
            f'  {name:16s} {1e3 * timing.seconds:9.2f} ms  '
            f'x {timing.ratio:.2f}'
        )


if __name__ == '__main__':
    main()
