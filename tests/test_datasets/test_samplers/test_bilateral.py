import logging
import math

import numpy as np
import pytest
import torch
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner import loops as mmengine_loops
from scipy.stats import chisquare
from torch.utils.data import SequentialSampler

from mmlt.datasets.samplers import (
    BilateralBatchSampler,
    ClassFrequencySampler,
    ReversedSampler,
)

LABELS = np.repeat([0, 1, 2], [70, 25, 8])


def build(dataset, batch_size=10, seed=3, **kwargs):
    """As MMEngine does from the config of a data loader."""
    return Runner.build_dataloader(
        dict(
            dataset=dataset,
            batch_size=batch_size,
            num_workers=0,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='mmlt.BilateralBatchSampler', **kwargs),
        ),
        seed=seed,
    )


def halves(batches):
    """The indices of the first halves and those of the second halves."""
    batches = [np.reshape(batch, (2, -1)) for batch in batches]
    return [
        np.concatenate(half).tolist() for half in zip(*batches, strict=True)
    ]


def test_halves_are_the_two_samplers(label_dataset):
    dataset = label_dataset(LABELS)
    batches = build(dataset, rebalancing=dict(type='mmlt.ReversedSampler'))
    batches = batches.batch_sampler
    for epoch in (0, 1, 5):
        batches.sampler.set_epoch(epoch)
        uniform = DefaultSampler(dataset, shuffle=True, seed=3)
        uniform.set_epoch(epoch)
        first, second = halves(batches)
        assert first == list(uniform)
        reverse = ReversedSampler(dataset, seed=batches.sampler.second.seed)
        reverse.set_epoch(epoch)
        assert second == list(reverse)


def test_second_half_is_reversed_by_default(label_dataset):
    batches = BilateralBatchSampler(
        ClassFrequencySampler(
            label_dataset(LABELS), 1, seed=0, num_samples=50_000
        ),
        batch_size=100,
        rebalancing=dict(type='mmlt.ReversedSampler', num_samples=50_000),
    )
    first, second = (np.bincount(LABELS[half]) for half in halves(batches))
    counts = np.array([70, 25, 8])
    weight = counts.max() / counts
    assert chisquare(first, 50_000 * counts / 103).pvalue > 1e-3
    assert chisquare(second, 50_000 * weight / weight.sum()).pvalue > 1e-3


def test_lengths(label_dataset):
    dataset = label_dataset(LABELS)
    loader = build(dataset)
    assert len(loader) == 11
    sizes = [len(batch) for batch in loader.batch_sampler]
    assert sizes == [20] * 10 + [6]
    loader = build(dataset, drop_last=True)
    assert len(loader) == 10
    assert [len(batch) for batch in loader.batch_sampler] == [20] * 10


def test_first_half_visits_each_image_once(label_dataset):
    first, _ = halves(build(label_dataset(LABELS)).batch_sampler)
    assert sorted(first) == list(range(103))


@pytest.mark.parametrize('world_size', [2, 3, 8])
def test_ranks_share_both_streams(label_dataset, as_rank, world_size):
    dataset = label_dataset(LABELS)
    single = halves(build(dataset).batch_sampler)
    shards = []
    for rank in range(world_size):
        as_rank(rank, world_size)
        loader = build(dataset)
        shards.append(halves(loader.batch_sampler))
        assert len(loader) == math.ceil(math.ceil(103 / world_size) / 10)
    for half, stream in enumerate(single):
        union = np.stack([shard[half] for shard in shards], 1).ravel()
        assert union.tolist() == (stream + stream)[: union.size]


def test_halves_differ_with_the_same_sampler(label_dataset):
    sampler = ClassFrequencySampler(label_dataset(LABELS), 1, seed=0)
    batches = BilateralBatchSampler(
        sampler, 10, rebalancing=dict(type='ClassFrequencySampler', power=1)
    )
    first, second = halves(batches)
    assert first != second


def test_seed_of_the_second_half_can_be_set(label_dataset):
    dataset = label_dataset(LABELS)
    batches = build(
        dataset, rebalancing=dict(type='mmlt.ReversedSampler', seed=8)
    ).batch_sampler
    assert halves(batches)[1] == list(ReversedSampler(dataset, seed=8))


@pytest.mark.parametrize(
    'rebalancing',
    [
        dict(type='DefaultSampler', shuffle=True),
        dict(type='mmlt.ClassFrequencySampler', power=0),
        dict(type='mmlt.DeferredSampler', epoch=1),
    ],
)
def test_other_second_samplers_follow_the_epoch(label_dataset, rebalancing):
    batches = build(label_dataset(LABELS), rebalancing=rebalancing)
    batches = batches.batch_sampler
    before = halves(batches)
    batches.sampler.set_epoch(1)
    after = halves(batches)
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert batches.sampler.second.epoch == 1


class Recorder(BaseModel):
    """Keeps the image indices of every batch."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.batches = []

    def forward(self, sample_idx, mode='tensor', **kwargs):
        self.batches.append(np.asarray(sample_idx).tolist())
        return dict(loss=self.weight**2)


def train(dataset, work_dir, name, train_cfg, resume=None, **dataloader):
    runner = Runner(
        model=Recorder(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=dataset,
            batch_size=10,
            sampler=dict(type='DefaultSampler', shuffle=True),
            batch_sampler=dict(type='mmlt.BilateralBatchSampler'),
            **dataloader,
        ),
        train_cfg=train_cfg,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=1)),
        load_from=resume,
        resume=resume is not None,
        randomness=dict(seed=3),
        experiment_name=name,
        log_level=logging.ERROR,
    )
    runner.train()
    return runner.model.batches


def expected_batches(dataset, epochs):
    batches = build(dataset).batch_sampler
    result = []
    for epoch in range(epochs):
        batches.sampler.set_epoch(epoch)
        result.extend(batches)
    return result


def test_epochs_of_a_run_and_of_a_resumed_one(label_dataset, tmp_path):
    dataset = label_dataset(LABELS)
    expected = expected_batches(dataset, 3)
    train_cfg = dict(by_epoch=True, max_epochs=3)
    whole = train(
        dataset,
        tmp_path,
        'whole',
        train_cfg,
        num_workers=1,
        persistent_workers=True,
    )
    assert whole == expected
    checkpoint = str(tmp_path / 'epoch_1.pth')
    resumed = train(
        dataset,
        tmp_path,
        'resumed',
        train_cfg,
        resume=checkpoint,
        num_workers=0,
    )
    assert resumed == expected[11:]


def test_iterations_pass_through_the_epochs(
    label_dataset, tmp_path, monkeypatch
):
    monkeypatch.setattr(mmengine_loops.time, 'sleep', lambda seconds: None)
    dataset = label_dataset(LABELS)
    batches = train(
        dataset,
        tmp_path,
        'iterations',
        dict(by_epoch=False, max_iters=25),
        num_workers=0,
    )
    assert batches == expected_batches(dataset, 3)[:25]


@pytest.mark.parametrize(
    ('kwargs', 'error', 'match'),
    [
        (dict(batch_size=0), ValueError, 'batch_size'),
        (dict(rebalancing=None), TypeError, 'rebalancing must be the config'),
        (
            dict(rebalancing=dict(type='mmlt.ReversedSampler', num_samples=9)),
            ValueError,
            'rebalancing yields 9 images an epoch, fewer than the 103',
        ),
        (
            dict(
                rebalancing=dict(type='mmlt.ReversedSampler', num_samples=102)
            ),
            ValueError,
            'rebalancing yields 102 images an epoch, fewer than the 103',
        ),
        (
            dict(rebalancing=dict(type='InfiniteSampler')),
            ValueError,
            'rebalancing: InfiniteSampler has no epochs',
        ),
        (dict(second=dict(type='mmlt.ReversedSampler')), TypeError, 'second'),
    ],
)
def test_bad_arguments(label_dataset, kwargs, error, match):
    with pytest.raises(error, match=match):
        build(label_dataset(LABELS), **kwargs)


def test_bad_first_sampler(label_dataset):
    dataset = label_dataset(LABELS)
    with pytest.raises(TypeError, match='SequentialSampler has no `dataset`'):
        BilateralBatchSampler(SequentialSampler(dataset), 2)
    with pytest.raises(ValueError, match='sampler: InfiniteSampler'):
        BilateralBatchSampler(InfiniteSampler(dataset, seed=0), 2)
