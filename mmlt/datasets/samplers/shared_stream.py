"""What the samplers of mmlt have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sized
from numbers import Integral

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from mmlt.checks import is_number


class SharedStreamSampler(Sampler[int]):
    """Base class: one stream of image indices, dealt out to the ranks.

    All ranks draw the same stream from ``(seed, epoch)`` alone, and rank r of
    W takes every W-th index from the r-th on. The batches of all ranks are
    thus, taken together, the batches of one process, and a resumed run goes
    on as an uninterrupted one. If W does not divide the stream, its first
    indices follow its last ones, so that each rank gets equally many.

    A subclass implements :meth:`draw`.

    Args:
        dataset (Sized): N images.
        seed (int | None): The same on all ranks. None takes a random one,
            which the ranks agree on. A config leaves it out: MMEngine hands
            on ``randomness.seed``.
        num_samples (int | None): Length of the stream, that is images an
            epoch, all ranks together. Defaults to N.

    Raises:
        TypeError: If ``seed`` or ``num_samples`` is not an integer.
        ValueError: If ``seed`` is negative or ``num_samples`` not positive.
    """

    def __init__(
        self,
        dataset: Sized,
        seed: int | None = None,
        num_samples: int | None = None,
    ) -> None:
        if num_samples is None and len(dataset) == 0:
            raise ValueError(
                'dataset holds no image; look at its annotation file, its '
                'data_prefix and its filter_cfg'
            )
        self.dataset = dataset
        self.seed = check_int(
            'seed', sync_random_seed() if seed is None else seed, 0
        )
        self.num_samples = check_int(
            'num_samples',
            len(dataset) if num_samples is None else num_samples,
            1,
        )
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Draw the stream of ``self.epoch``.

        Args:
            rng (np.random.Generator): In a state that ``(seed, epoch)`` fix.

        Returns:
            np.ndarray: (num_samples,) int64 positions in ``dataset``.
        """
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        stream = self.draw(np.random.default_rng([self.seed, self.epoch]))
        stream = np.resize(stream, len(self) * self.world_size)
        return iter(stream[self.rank :: self.world_size].tolist())

    def __len__(self) -> int:
        """Number of images of an epoch on this rank."""
        return math.ceil(self.num_samples / self.world_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, counted from 0, of the next iteration."""
        self.epoch = epoch


def check_int(name: str, value: int, low: int) -> int:
    """``value`` as an int; raises if it is none or below ``low``."""
    if not isinstance(value, Integral) or not is_number(value):
        raise TypeError(f'{name} must be an integer, got {value!r}')
    if value < low:
        raise ValueError(f'{name} must be >= {low}, got {value}')
    return int(value)
