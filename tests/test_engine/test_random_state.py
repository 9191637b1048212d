import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset, Subset

from mmlt.engine.random_state import (
    WorkerSeed,
    get_state,
    set_seed,
    set_state,
)


def draw():
    return [torch.rand(()).item(), np.random.rand(), random.random()]  # noqa: NPY002


class Draws(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.tensor(draw())


def test_a_state_gives_the_same_numbers(tmp_path):
    random.gauss(0, 1), np.random.randn()  # noqa: NPY002  # half of a pair
    path = tmp_path / 'state.pth'
    torch.save(get_state(), path)
    numbers = [*draw(), random.gauss(0, 1), np.random.randn()]  # noqa: NPY002
    set_state(torch.load(path, weights_only=True))
    again = [*draw(), random.gauss(0, 1), np.random.randn()]  # noqa: NPY002
    assert again == numbers


def test_seeds_are_of_all_arguments():
    keys = [(3, 0, 0), (3, 0, 1), (3, 1, 0), (0, 3, 0), (3, 0, 0, 0)]
    drawn = []
    for key in [*keys, keys[0]]:
        set_seed(*key)
        drawn.append(tuple(draw()))
    assert drawn[-1] == drawn[0]
    assert len(set(drawn)) == len(keys)
    assert len({number for row in drawn for number in row}) == 3 * len(keys)


def epochs(which, rank=0, dataset=None, **kwargs):
    """Draws (epoch, image, library) of these epochs."""
    loader = DataLoader(
        dataset or Draws(), batch_size=2, num_workers=2, **kwargs
    )
    seed = WorkerSeed(loader, 3, rank)
    drawn = []
    for epoch in which:
        seed.epoch.fill_(epoch)
        drawn.append(torch.cat(list(loader)))
    return torch.stack(drawn)


@pytest.mark.parametrize('dataset', [Draws(), Subset(Draws(), range(8))])
@pytest.mark.parametrize('persistent', [False, True])
def test_workers_are_seeded_by_epoch_rank_and_worker(persistent, dataset):
    whole = epochs(range(3), dataset=dataset, persistent_workers=persistent)
    later = epochs([1, 2], dataset=dataset, persistent_workers=persistent)
    assert whole[1:].equal(later)
    other = epochs([0], rank=1)
    numbers = torch.cat([whole, other]).flatten()
    assert len(numbers.unique()) == len(numbers)


def test_workers_leave_the_main_process_alone():
    set_seed(0)
    expected = draw()
    set_seed(0)
    epochs(range(2))
    assert draw() == expected


def test_an_own_start_of_workers_is_kept():
    def start(worker):
        torch.set_default_dtype(torch.float64)

    assert epochs([0], worker_init_fn=start).dtype == torch.float64


def test_a_list_draws_nothing():
    assert epochs([0], dataset=[torch.ones(3)] * 8).equal(torch.ones(1, 8, 3))


def test_the_state_of_a_gpu_in_use_is_kept(monkeypatch):
    state = torch.arange(16, dtype=torch.uint8)
    restored = []
    monkeypatch.setattr(torch.cuda, 'is_initialized', lambda: True)
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'get_rng_state', lambda: state)
    monkeypatch.setattr(torch.cuda, 'set_rng_state', restored.append)
    set_state(get_state())
    assert restored[0].equal(state)


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_draws_the_same_numbers(tmp_path):
    torch.rand(3, device='cuda')
    path = tmp_path / 'state.pth'
    torch.save(get_state(), path)
    numbers = torch.rand(3, device='cuda')
    # As MMEngine loads what it resumes.
    set_state(torch.load(path, map_location='cuda', weights_only=True))
    assert torch.rand(3, device='cuda').equal(numbers)
