"""Draw the schedules of alpha that ``AlphaScheduleHook`` offers.

python tools/analysis_tools/alpha_schedules.py --out alpha_schedules.png
"""

import argparse

from mmlt.analysis.alpha_schedules import draw_alpha_schedules


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, default=200)
    parser.add_argument(
        '--t-max', type=float, help='T_max in epochs [default: --epochs]'
    )
    parser.add_argument('--out', default='alpha_schedules.png')
    args = parser.parse_args(argv)
    t_max = args.t_max or args.epochs
    if t_max < args.epochs - 1:
        parser.error(
            f'--t-max {t_max:g} ends before the last epoch: use at least '
            f'{args.epochs - 1}'
        )
    draw_alpha_schedules(args.out, args.epochs, t_max)


if __name__ == '__main__':
    main()
