"""Schedules: pure functions of the progress T / T_max in [0, 1].

They hold no state, so that a resumed run gets the values of a straight one.
"""

from __future__ import annotations

import math

import numpy as np

from mmlt.checks import check_number, check_share, check_size


def progress(
    epoch: int,
    max_epochs: int,
    batch_idx: int = 0,
    epoch_length: int = 1,
    t_max: float | None = None,
) -> float:
    """T / T_max of a run as it now is, in [0, 1].

    It does not depend on how long the epochs were before the run was resumed.

    Args:
        epoch (int): Epochs done; 0 in an iteration-based loop, which is one
            long epoch.
        max_epochs (int): Epochs of the run.
        batch_idx (int): Iterations done of this epoch. Defaults to 0.
        epoch_length (int): Iterations of an epoch; 1 counts by epoch, the
            unit of T then. Defaults to 1.
        t_max (float | None): T_max in that unit. Defaults to the length of
            the run.
    """
    done = epoch * epoch_length + batch_idx
    return min(done / (t_max or max_epochs * epoch_length), 1.0)


def parabolic(progress: float) -> float:
    """From 1 to 0, slow at first: the schedule of BBN."""
    return 1 - progress**2


def linear(progress: float) -> float:
    """From 1 to 0 at constant speed."""
    return 1 - progress


def cosine(progress: float) -> float:
    """From 1 to 0 along a quarter of a cosine."""
    return math.cos(progress * math.pi / 2)


def parabolic_increment(progress: float) -> float:
    """From 0 to 1: the re-balancing branch comes first."""
    return progress**2


def equal(progress: float) -> float:
    """0.5 throughout."""
    return 0.5


def beta(
    progress: float, a: float = 0.2, b: float = 0.2, seed: int = 0
) -> float:
    """Draw from Beta(a, b); the same progress always gives the same draw.

    Args:
        progress (float): T / T_max in [0, 1].
        a (float): First parameter of the distribution. Defaults to 0.2.
        b (float): Second parameter of the distribution. Defaults to 0.2.
        seed (int): Which sequence of draws; equal on all ranks. Defaults to
            0.
    """
    check_number('a', a, positive=True)
    check_number('b', b, positive=True)
    check_size('seed', seed, least=0)
    draw = round(progress * 2**53)
    return float(np.random.default_rng((seed, draw)).beta(a, b))


def step(progress: float, at: float = 0.5) -> float:
    """1 before ``at`` (a fraction of T_max), 0 from then on: two stages.

    Args:
        progress (float): T / T_max in [0, 1].
        at (float): Where the second stage begins, in [0, 1]. Defaults to 0.5.
    """
    return 1.0 if progress < check_share('at', at) else 0.0


SCHEDULES = {
    'parabolic': parabolic,
    'linear': linear,
    'cosine': cosine,
    'parabolic_increment': parabolic_increment,
    'equal': equal,
    'beta': beta,
    'step': step,
}
