"""Draw the schedules of alpha that ``AlphaScheduleHook`` offers.

python tools/analysis_tools/alpha_schedules.py --out alpha_schedules.png
"""

import argparse

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt

from mmlt.engine.hooks.alpha_schedule_hook import SCHEDULES


def draw(epochs: int, t_max: float, out: str) -> None:
    """Draw alpha before each epoch for all schedules into one image.

    Args:
        epochs (int): Length of the training.
        t_max (float): T_max in epochs, at least ``epochs - 1``.
        out (str): Path of the image.
    """
    figure, axes = plt.subplots(figsize=(6, 3.5), layout='constrained')
    for name, schedule in SCHEDULES.items():
        alphas = [schedule(epoch / t_max) for epoch in range(epochs)]
        scattered = name == 'beta'
        axes.plot(
            alphas,
            label=name,
            marker='.' if scattered else None,
            linestyle='none' if scattered else '-',
            markersize=3,
        )
    axes.set(xlabel='epoch T', ylabel='alpha', xlim=(0, epochs - 1))
    axes.set_title(f'{epochs} epochs, T_max = {t_max:g}', fontsize='medium')
    figure.legend(loc='outside right center', frameon=False)
    figure.savefig(out, dpi=100)
    plt.close(figure)


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--epochs', type=int, default=200)
    parser.add_argument(
        '--t-max', type=float, help='T_max in epochs [default: --epochs]'
    )
    parser.add_argument('--out', default='alpha_schedules.png')
    args = parser.parse_args()
    t_max = args.t_max or args.epochs
    if t_max < args.epochs - 1:
        parser.error(
            f'--t-max {t_max:g} ends before the last epoch: use at least '
            f'{args.epochs - 1}'
        )
    draw(args.epochs, t_max, args.out)


if __name__ == '__main__':
    main()
