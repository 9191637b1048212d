"""Two samplers side by side in each batch. B images of each in a batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import BatchSampler, Sampler

from mmlt.registry import DATA_SAMPLERS

from .build import build_sampler, check_finite
from .shared_stream import check_int

REVERSED = dict(type='mmlt.ReversedSampler')


class PairedSampler(Sampler[tuple[int, int]]):
    """Pairs of one index of each of two samplers, as many as the first has.

    Args:
        first (Sampler): Decides length and data set.
        second (Sampler): At least as long.
    """

    def __init__(self, first: Sampler, second: Sampler) -> None:
        self.first = first
        self.second = second
        self.dataset = first.dataset

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.first, self.second, strict=False)

    def __len__(self) -> int:
        return len(self.first)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of both."""
        self.first.set_epoch(epoch)
        self.second.set_epoch(epoch)


@DATA_SAMPLERS.register_module()
class BilateralBatchSampler(BatchSampler):
    """Batches ``[B uniform | B reversed]`` for bilateral-branch networks.

    The two samplers of `BBN <https://arxiv.org/abs/1912.02413>`_, section
    4.2, in one data loader: the first half of a batch comes from the
    loader's ``sampler``, the second from ``rebalancing``. An epoch ends with
    ``sampler``; without ``drop_last``, the last batch has two shorter halves
    of equal length.

    Args:
        sampler (Sampler): Sampler of the first half.
        batch_size (int): B, images of **each half** on each rank: a batch
            holds 2B images. The papers' batch of 128 is ``batch_size=128``.
        rebalancing (dict): Config of the sampler of the second half. Defaults
            to :class:`ReversedSampler`. It gets the data set of ``sampler``
            and, unless it names one, a seed derived from that of ``sampler``:
            the halves differ even if both have the same type.
        drop_last (bool): Whether to leave out a last batch that is not full.

    Raises:
        TypeError: If ``sampler`` has no data set or ``rebalancing`` is no
            config.
        ValueError: If ``batch_size`` is not a positive integer,
            ``rebalancing`` is shorter than ``sampler``, or one of them never
            ends an epoch.

    Example:
        >>> train_dataloader = dict(
        ...     batch_size=128,
        ...     sampler=dict(type='DefaultSampler', shuffle=True),
        ...     batch_sampler=dict(type='mmlt.BilateralBatchSampler'))
    """

    def __init__(
        self,
        sampler: Sampler,
        batch_size: int,
        rebalancing: dict = REVERSED,
        drop_last: bool = False,
    ) -> None:
        if not hasattr(sampler, 'dataset'):
            raise TypeError(
                f'sampler: {type(sampler).__name__} has no `dataset`; use '
                "dict(type='DefaultSampler', shuffle=True)"
            )
        check_finite('sampler', sampler)
        check_int('batch_size', batch_size, 1)
        seed = getattr(sampler, 'seed', None)
        if seed is not None:
            seed = int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])
        second = build_sampler(
            'rebalancing', rebalancing, sampler.dataset, seed
        )
        if len(second) < len(sampler):
            raise ValueError(
                f'rebalancing yields {len(second)} images an epoch, fewer '
                f'than the {len(sampler)} of sampler; give it as many with '
                'num_samples'
            )
        # MMEngine announces epochs to the attribute `sampler`.
        super().__init__(PairedSampler(sampler, second), batch_size, drop_last)

    def __iter__(self) -> Iterator[list[int]]:
        for pairs in super().__iter__():
            first, second = zip(*pairs, strict=True)
            yield [*first, *second]
