"""A second stream of batches, by number."""

import random
from itertools import islice

import numpy as np
import pytest
import torch
from mmdet.datasets.samplers import AspectRatioBatchSampler  # noqa: F401
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmlt.engine.second_draw import second_draw


class Numbers(Dataset):
    """Its index, and a number of each library."""

    def __len__(self):
        return 20

    def get_data_info(self, index):
        return dict(width=1 + index % 2, height=2)

    def __getitem__(self, index):
        noise = [random.random(), np.random.rand(), torch.rand(()).item()]  # noqa: NPY002
        return [index, *noise]


def draw(number, start=0, workers=0, seed=5, rank=0, **kwargs):
    config = dict(
        batch_size=2,
        num_workers=workers,
        dataset=Numbers(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        **kwargs,
    )
    with DefaultScope.overwrite_default_scope('mmdet'):
        loader = Runner.build_dataloader(config, seed=seed)
        batches = second_draw(loader, config, 3, seed, rank, start)
    return loader, [
        torch.stack(batch, dim=1) for batch in islice(batches, number)
    ]


def test_passes_over_the_data_without_an_end():
    loader, batches = draw(7)
    indices = torch.stack(batches)[:, :, 0].long()
    assert indices.shape == (7, 6)
    for i in (0, 3):  # Three batches a pass; two images are left over.
        assert len(set(indices[i : i + 3].flatten().tolist())) == 18
    assert indices[:3].tolist() != indices[3:6].tolist()
    first = torch.cat([batch[0].long() for batch in loader])
    assert first[:18].tolist() != indices[:3].flatten().tolist()


def test_begins_anywhere_with_any_number_of_workers():
    _, whole = draw(6)
    for workers in (0, 2):
        _, rest = draw(2, start=4, workers=workers)
        torch.testing.assert_close(rest, whole[4:], rtol=0, atol=0)
    noise = torch.cat(whole)[:, 1:]
    assert len(set(noise.flatten().tolist())) == noise.numel()
    _, other = draw(6, rank=1)
    assert not torch.isclose(torch.cat(other)[:, 1:], noise).any()


def test_leaves_the_random_state_of_this_process():
    torch.manual_seed(3)
    random.seed(3)
    expected = torch.rand(2), random.random()
    torch.manual_seed(3)
    random.seed(3)
    draw(2)
    found = torch.rand(2), random.random()
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_groups_as_the_loader_does():
    grouped = dict(type='AspectRatioBatchSampler')
    _, batches = draw(2, batch_sampler=grouped)
    for batch in batches:  # Of ten images each; the rest is mixed.
        assert len(set((batch[:, 0] % 2).tolist())) == 1


def test_errors():
    with pytest.raises(ValueError, match='too few images for a batch of 6'):
        draw(1, num_batch_per_epoch=2)
    loader, _ = draw(0)
    with pytest.raises(TypeError, match=r'must be a config.*DataLoader'):
        second_draw(loader, loader, 3, 5, 0)
