import multiprocessing
from itertools import chain

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from mmlt.datasets.samplers import (
    ClassFrequencySampler,
    DeferredSampler,
    ProgressiveSampler,
    ReversedSampler,
    SharedStreamSampler,
)

LABELS = np.repeat([0, 1, 2], [70, 25, 8])  # 103 images: a prime

SAMPLERS = [
    (ClassFrequencySampler, dict(power=0.5)),
    (ReversedSampler, {}),
    (ProgressiveSampler, dict(max_epochs=4)),
    (DeferredSampler, dict(epoch=1)),
]


def epochs(sampler, count=3):
    """The indices of the first epochs."""
    result = []
    for epoch in range(count):
        sampler.set_epoch(epoch)
        result.append(list(sampler))
        assert len(result[-1]) == len(sampler)
    return result


@pytest.mark.parametrize(('sampler', 'kwargs'), SAMPLERS)
@pytest.mark.parametrize('world_size', [1, 2, 3, 8])
def test_shards_make_up_the_single_process_stream(
    label_dataset, as_rank, sampler, kwargs, world_size
):
    dataset = label_dataset(LABELS)
    single = epochs(sampler(dataset, seed=5, **kwargs))
    shards = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        shards.append(epochs(sampler(dataset, seed=5, **kwargs)))
    for epoch, stream in enumerate(single):
        parts = [shard[epoch] for shard in shards]
        length = -(-len(stream) // world_size)
        assert [len(part) for part in parts] == [length] * world_size
        union = np.stack(parts, 1).ravel()
        # The first indices again, to give each rank equally many
        expected = (stream + stream)[: length * world_size]
        assert union.tolist() == expected


def test_more_ranks_than_samples(label_dataset, as_rank):
    as_rank(7, 8)
    sampler = ReversedSampler(label_dataset([0, 1, 1]), seed=0)
    assert len(list(sampler)) == len(sampler) == 1


@pytest.mark.parametrize(('sampler', 'kwargs'), SAMPLERS)
def test_epochs_differ_and_can_be_resumed(label_dataset, sampler, kwargs):
    dataset = label_dataset(LABELS)
    first, second, third = epochs(sampler(dataset, seed=5, **kwargs))
    assert first != second
    assert second != third
    resumed = sampler(dataset, seed=5, **kwargs)
    resumed.set_epoch(2)
    assert list(resumed) == third
    assert list(resumed) == third  # iterating leaves no trace
    assert epochs(sampler(dataset, seed=6, **kwargs))[0] != first


def test_seed_and_epoch_do_not_add_up(label_dataset):
    dataset = label_dataset(LABELS)
    first = epochs(ReversedSampler(dataset, seed=0))
    second = epochs(ReversedSampler(dataset, seed=1))
    assert first[1] != second[0]


@pytest.mark.parametrize(('sampler', 'kwargs'), SAMPLERS)
def test_missing_seed_comes_from_the_ranks(
    label_dataset, monkeypatch, sampler, kwargs
):
    dataset = label_dataset(LABELS)
    module = sampler.__module__
    if sampler is not DeferredSampler:
        module = SharedStreamSampler.__module__
    monkeypatch.setattr(f'{module}.sync_random_seed', lambda: 77)
    assert list(sampler(dataset, **kwargs)) == list(
        sampler(dataset, seed=77, **kwargs)
    )


def test_num_samples(label_dataset, as_rank):
    dataset = label_dataset(LABELS)
    assert len(ReversedSampler(dataset, seed=0)) == 103
    assert len(list(ReversedSampler(dataset, seed=0, num_samples=500))) == 500
    as_rank(1, 4)
    assert len(ReversedSampler(dataset, seed=0, num_samples=500)) == 125
    assert len(ReversedSampler(dataset, seed=0, num_samples=502)) == 126


def test_persistent_workers_follow_the_epoch(label_dataset):
    dataset = label_dataset(LABELS)
    sampler = ReversedSampler(dataset, seed=0)
    expected = epochs(ReversedSampler(dataset, seed=0))
    loader = DataLoader(
        dataset,
        batch_size=16,
        sampler=sampler,
        num_workers=1,
        persistent_workers=True,
        collate_fn=lambda batch: [info['sample_idx'] for info in batch],
    )
    for epoch, stream in enumerate(expected):
        sampler.set_epoch(epoch)
        assert list(chain(*loader)) == stream


@pytest.mark.parametrize(
    ('kwargs', 'error', 'match'),
    [
        (dict(seed=-1), ValueError, 'seed must be >= 0, got -1'),
        (dict(seed=0.5), TypeError, 'seed must be an integer, got 0.5'),
        (dict(num_samples=0), ValueError, 'num_samples must be >= 1, got 0'),
        (dict(num_samples='1'), TypeError, 'num_samples must be an integer'),
    ],
)
def test_bad_arguments(label_dataset, kwargs, error, match):
    with pytest.raises(error, match=match):
        ReversedSampler(label_dataset(LABELS), **kwargs)


def test_empty_dataset():
    with pytest.raises(ValueError, match='dataset holds no image'):
        ReversedSampler([])


def test_base_class_draws_nothing(label_dataset):
    with pytest.raises(NotImplementedError):
        iter(SharedStreamSampler(label_dataset(LABELS), seed=0))


def draw_as_rank(rank, dataset, rendezvous, queue):
    torch.distributed.init_process_group(
        'gloo', f'file://{rendezvous}', rank=rank, world_size=2
    )
    np.random.seed(rank)  # noqa: NPY002
    sampler = ReversedSampler(dataset)
    sampler.set_epoch(3)
    gathered = [None, None]
    torch.distributed.all_gather_object(
        gathered, (sampler.seed, list(sampler))
    )
    if rank == 0:
        queue.put(gathered)
    torch.distributed.destroy_process_group()


def test_two_processes_agree_without_a_seed(label_dataset, tmp_path):
    dataset = label_dataset(LABELS)
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    arguments = (dataset, tmp_path / 'rendezvous', queue)
    processes = [
        context.Process(target=draw_as_rank, args=(rank, *arguments))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    seeds, shards = zip(*queue.get(timeout=60), strict=True)
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert seeds[0] == seeds[1]
    single = ReversedSampler(dataset, seed=seeds[0])
    single.set_epoch(3)
    stream = list(single)
    assert np.stack(shards, 1).ravel().tolist() == [*stream, stream[0]]
