"""Random numbers: of the main process, by state; of workers, by seed.

A resumed run is the uninterrupted one if both draw the same numbers. What the
main process draws follows from the states of its generators, which a
checkpoint holds. Workers that load data are other processes, which are some
batches ahead when a checkpoint is written: what they draw follows from (seed,
epoch, rank, worker). NumPy's legacy generator is that of OpenMMLab's
transforms.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from torch.utils.data import DataLoader, get_worker_info


def get_state() -> dict:
    """States of PyTorch, NumPy and Python, of plain types and tensors."""
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    state = dict(
        torch=torch.get_rng_state(),
        numpy=[name, keys.tolist(), *rest],
        python=random.getstate(),
    )
    if torch.cuda.is_initialized():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_state(state: dict) -> None:
    """Put the generators into a state of :func:`get_state`."""
    torch.set_rng_state(state['torch'].cpu())
    name, keys, *rest = state['numpy']
    np.random.set_state((name, np.array(keys, np.uint32), *rest))  # noqa: NPY002
    random.setstate(state['python'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def set_seed(*entropy: int) -> None:
    """Seed PyTorch (its accelerators, too), NumPy and Python.

    Args:
        entropy (int): At least 0; different ones give unrelated streams.
    """
    # NumPy pads with zeros: by its length, a short one is another.
    sequence = np.random.SeedSequence([len(entropy), *entropy])
    seeds = sequence.generate_state(3)
    torch.manual_seed(int(seeds[0]))
    np.random.seed(seeds[1])  # noqa: NPY002
    random.seed(int(seeds[2]))


class WorkerSeed:
    """Seeds the workers of a data loader by (seed, epoch, rank, worker).

    Workers that persist need not start anew for that: ``DataLoader`` asks a
    data set for the items of a batch by ``__getitems__``, if it has that. A
    worker gives it to its copy of the data set, whatever that is, and looks
    there whether an epoch has begun.

    Args:
        loader (DataLoader): Of the training.
        seed (int): That of the run.
        rank (int): Of this process.
    """

    def __init__(self, loader: DataLoader, seed: int, rank: int) -> None:
        self.seed = seed
        self.rank = rank
        # Workers that persist see a change in shared memory only.
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()
        self._init = loader.worker_init_fn
        loader.worker_init_fn = self
        # Else a new start of workers draws a number from the model's stream.
        loader.generator = torch.Generator()

    def __call__(self, worker: int) -> None:
        """Start a worker."""
        if self._init is not None:
            self._init(worker)
        dataset = get_worker_info().dataset
        fetch = getattr(
            dataset, '__getitems__', lambda batch: [dataset[i] for i in batch]
        )
        seeded = None

        def seed_and_fetch(batch: list) -> list:
            nonlocal seeded
            epoch = self.epoch.item()
            if epoch != seeded:
                set_seed(self.seed, epoch, self.rank, worker)
                seeded = epoch
            return fetch(batch)

        if hasattr(dataset, '__dict__'):  # A list, say, draws nothing.
            dataset.__getitems__ = seed_and_fetch
