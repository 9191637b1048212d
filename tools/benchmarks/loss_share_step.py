"""A training step with LossShareHook's measurement, beside one without.

    python tools/benchmarks/loss_share_step.py [--device cuda]

Models are the small ones of Fashion-Scenes, all of whose parameters train; a
step is as in ``train_step.py``. It needs MMDetection.
"""

import argparse
import sys
from collections.abc import Callable

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from timing import compare
from train_step import CONFIGS, box_batch, build, can_run, contestant

from mmlt.models.size_shares import SizeShares

MODELS = {
    'faster-rcnn': 'baselines/faster-rcnn_r18-small_fpn_12e_fashion-scenes.py',
    'retinanet': 'one_stage/retinanet_r18-small_fpn_12e_fashion-scenes.py',
}
SIZE = 160
LIMIT = 1.02


def measured(step: Callable, shares: SizeShares) -> Callable:
    """The step, after which its sums are taken."""

    def run() -> None:
        step()
        shares.take()

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--batch', type=int, default=4, help='images')
    parser.add_argument('--turns', type=int, default=61)
    parser.add_argument('--device', default='cpu')
    parser.add_argument(
        '--check',
        action='store_true',
        help='exit with 1 if a ratio is above its limit',
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    MMLogger.get_current_instance().setLevel('WARNING')
    above = []
    print('| Model | B | Without, ms | With, ms | Ratio | IQR | Limit |')
    print('|-|-|-|-|-|-|-|')
    for name, path in MODELS.items():
        if not can_run('faster-rcnn', args.device):
            break
        cfg = Config.fromfile(CONFIGS / path)
        with DefaultScope.overwrite_default_scope('mmdet'):
            models = [build(cfg, args.device) for _ in range(2)]
            data = box_batch(cfg, args.batch, SIZE, args.device)
            without, step = (contestant(cfg, x, data) for x in models)
            # Five boxes of 20 to 40 pixels in an image.
            shares = SizeShares(models[1], bounds=(24**2, 32**2))
            steps = {'without': without, 'with': measured(step, shares)}
            timings = compare(steps, args.turns, args.device)
        ratio = timings['with'].ratio
        if ratio > LIMIT:
            above.append(name)
        print(
            f'| {name} | {args.batch} '
            f'| {1e3 * timings["without"].seconds:.1f} '
            f'| {1e3 * timings["with"].seconds:.1f} | {ratio:.3f} '
            f'| {timings["with"].spread:.3f} | {LIMIT} |',
            flush=True,
        )
    if above and args.check:
        sys.exit(f'Above the limit: {", ".join(above)}')


if __name__ == '__main__':
    main()
