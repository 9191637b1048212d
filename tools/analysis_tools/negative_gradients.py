"""Draw what a negative label adds to the gradient of its logit.

    python tools/analysis_tools/negative_gradients.py --out gradients.png

Left, softmax against sigmoid: cross entropy leaves a negative logit alone once
the positive one is larger; binary cross entropy goes on pushing it down.
Right, what negative-tolerant regularisation makes of it. These are Figures 2
and 3 of Distribution-Balanced Loss (https://arxiv.org/abs/2007.09654).
"""

import argparse
from pathlib import Path

from mmlt.analysis.negative_gradients import draw_negative_gradients


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        '--positives',
        nargs='+',
        type=float,
        default=(2.0, 4.0),
        help='positive logits of the cross entropy; default: 2 4',
    )
    add(
        '--scales',
        nargs='+',
        type=float,
        default=(2.0, 5.0),
        help='lambda of the regularisation; default: 2 5, as for COCO and VOC',
    )
    add('--bias', type=float, default=0.0, help='its nu; default: 0')
    add('--out', type=Path, default=Path('negative_gradients.png'))
    args = parser.parse_args(argv)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw_negative_gradients(args.out, args.positives, args.scales, args.bias)
    print(f'Wrote {args.out}')


if __name__ == '__main__':
    main()
