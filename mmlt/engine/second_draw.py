"""A second stream of batches of the training set."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import numpy as np
from mmengine.registry import DATA_SAMPLERS
from torch import Generator
from torch.utils.data import BatchSampler, DataLoader, Dataset

from mmlt.engine.random_state import get_state, set_seed, set_state


def second_draw(
    loader: DataLoader,
    config: dict,
    times: int,
    seed: int,
    rank: int,
    start: int = 0,
) -> Iterator[Any]:
    """Batches without an end, of the data set of a loader.

    The order has a seed of its own, and what a pipeline draws at random for
    a batch follows from (seed, number of the batch, rank): the batches are
    the same, whatever the number of workers, and wherever they start.

    Args:
        loader (DataLoader): Of the training. Its data set, pipeline, and
            settings of workers are used.
        config (dict): That of the loader, which says how it samples. Samplers
            are told the number of the pass over this stream as the epoch.
        times (int): Images in a batch, over those of the loader's.
        seed (int): Shared by all ranks.
        rank (int): Of this process.
        start (int): Number of the first batch; those before are not loaded.

    Raises:
        TypeError: If ``config`` is a loader that was built by hand.
    """
    if not isinstance(config, dict):
        raise TypeError(
            'train_dataloader must be a config, of which a second loader can '
            f'be built, got a {type(config).__name__}'
        )
    batches = _Batches(
        loader.dataset, config, times * config['batch_size'], seed
    )
    return iter(
        DataLoader(
            _SeededItems(loader.dataset, seed, rank),
            batch_sampler=islice(batches, start, None),
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            pin_memory=loader.pin_memory,
            prefetch_factor=loader.prefetch_factor,
            worker_init_fn=loader.worker_init_fn,
            multiprocessing_context=loader.multiprocessing_context,
            # Else a start of workers draws from the model's stream.
            generator=Generator(),
        )
    )


class _Batches:
    """Numbers of batches, and the indices in them."""

    def __init__(
        self, dataset: Dataset, config: dict, batch_size: int, seed: int
    ) -> None:
        # An unrelated one, since samplers add the epoch to theirs.
        (seed,) = np.random.SeedSequence([seed, batch_size]).generate_state(1)
        self.sampler = DATA_SAMPLERS.build(
            {**config['sampler'], 'dataset': dataset, 'seed': int(seed)}
        )
        given = dict(
            sampler=self.sampler, batch_size=batch_size, drop_last=True
        )
        self.batches = (
            DATA_SAMPLERS.build({**config['batch_sampler'], **given})
            if config.get('batch_sampler')
            else BatchSampler(**given)
        )

    def __iter__(self) -> Iterator[tuple[int, list[int]]]:
        number = 0
        for epoch in count():
            self.sampler.set_epoch(epoch)
            begin = number
            for indices in self.batches:
                yield number, indices
                number += 1
            if number == begin:
                raise ValueError(
                    'the training set has too few images for a batch of '
                    f'{self.batches.batch_size} on each rank: take a smaller '
                    'batch_size of train_dataloader'
                )


class _SeededItems(Dataset):
    """Items by batches, each with its own random numbers."""

    def __init__(self, dataset: Dataset, seed: int, rank: int) -> None:
        self.dataset = dataset
        self.seed = seed
        self.rank = rank

    def __getitems__(self, batch: tuple[int, list[int]]) -> list:
        number, indices = batch
        before = get_state()
        set_seed(self.seed, number, self.rank)
        items = [self.dataset[index] for index in indices]
        set_state(before)
        return items
