"""The schedules of BBN's alpha over a training."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from mmlt.engine.schedules import SCHEDULES


def draw_alpha_schedules(path: str | Path, epochs: int, t_max: float) -> None:
    """Draw alpha before each epoch, for all schedules.

    Args:
        path (str | Path): The image file to write.
        epochs (int): Length of the training.
        t_max (float): T_max in epochs, at least ``epochs - 1``.
    """
    figure = Figure(figsize=(6, 3.5), layout='constrained')
    axes = figure.add_subplot()
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
    figure.savefig(path, dpi=100)
