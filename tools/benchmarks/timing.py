"""Times of contestants that take turns, so that what disturbs hits all."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch


class Timing(NamedTuple):
    """What a contestant took, and its ratio to the first one.

    Args:
        seconds (float): Median of all turns.
        ratio (float): Median of the ratios within a turn.
        spread (float): Interquartile range of these ratios.
    """

    seconds: float
    ratio: float
    spread: float

    def times(self, factor: float) -> 'Timing':
        """That of ``factor`` as much work."""
        return Timing(*(factor * value for value in self))


def compare(
    contestants: dict[str, Callable[[], object]],
    turns: int,
    device: str = 'cpu',
) -> dict[str, Timing]:
    """Call all contestants in every turn, in alternating order.

    One more turn comes first, which does not count. On a CPU, seconds are
    those of this process, whatever else the machine does.

    Args:
        contestants (dict[str, Callable]): The first is the reference.
        turns (int): How often each is timed.
        device (str): Where they compute; a GPU is waited for.
    """
    wait, clock = lambda: None, time.process_time
    if torch.device(device).type == 'cuda':
        wait, clock = torch.cuda.synchronize, time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(turns + 1):
        for name in order:
            wait()
            start = clock()
            contestants[name]()
            wait()
            times[name].append(clock() - start)
        order.reverse()
    counted = {name: np.array(values[1:]) for name, values in times.items()}
    reference = next(iter(counted.values()))
    result = {}
    for name, seconds in counted.items():
        low, ratio, high = np.percentile(seconds / reference, (25, 50, 75))
        result[name] = Timing(np.median(seconds), ratio, high - low)
    return result
