"""A long-tailed training run in two processes, and resumed."""

import os
import socket
import time
from multiprocessing import get_context

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from numpy.testing import assert_array_equal

from mmlt.class_stats import ClassStats
from mmlt.engine import launch
from mmlt.models.unwrap import unwrap

EPOCHS = 3
COUNTS = [8, 5, 2]


@DATASETS.register_module(force=True)
class Patches(BaseDataset):
    """Ten patches of 8 x 8 of each of three classes, class by class."""

    METAINFO = {'classes': ('ant', 'bee', 'cat')}  # noqa: RUF012

    def load_data_list(self):
        return [{'gt_label': index // 10} for index in range(30)]

    def prepare_data(self, idx):
        label = self.get_data_info(idx)['gt_label']
        noise = torch.randn(
            (3, 8, 8), generator=torch.Generator().manual_seed(idx)
        )
        sample = DataSample(metainfo={'index': idx}).set_gt_label(label)
        return {'inputs': noise + label, 'data_samples': sample}


class InterruptedRunError(Exception):
    """Stands for a run that is stopped."""


class Observer(Hook):
    """Keep the indices of each epoch; stop after ``last`` epochs."""

    priority = 'LOWEST'

    def __init__(self, last):
        self.last = last
        self.indices = []

    def before_train_epoch(self, runner):
        self.indices.append([])

    def after_train_iter(self, runner, batch_idx, data_batch, outputs):
        samples = data_batch['data_samples']
        self.indices[-1].extend(sample.index for sample in samples)

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.last:
            raise InterruptedRunError


def train(work_dir, last=EPOCHS, resume=False, distributed=False):
    """Indices of each epoch, the final weights, and the statistics."""
    observer = Observer(last if last < EPOCHS else None)
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    runner = Runner(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.CIFARResNet', depth=20, base_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(
                type='LinearClsHead',
                num_classes=3,
                in_channels=16,
                loss=dict(type='mmlt.LogitAdjustedLoss'),
            ),
            data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=4,
            dataset=dict(
                type='mmlt.LongTailedDataset',
                counts=COUNTS,
                dataset=dict(type='Patches'),
            ),
            sampler=dict(type='DefaultSampler', shuffle=True),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(
            type='CosineAnnealingLR', convert_to_iter_based=True
        ),
        custom_hooks=[dict(type='mmlt.ClassStatsHook'), observer],
        resume=resume,
        launcher='pytorch' if distributed else 'none',
        default_scope='mmpretrain',
        experiment_name=f'{work_dir.name}_{last}_{resume}',
        randomness=dict(seed=3),
        log_level='WARNING',
        cfg=dict(model_wrapper_cfg=wrapper if distributed else None),
    )
    if last < EPOCHS:
        with pytest.raises(InterruptedRunError):
            runner.train()
    else:
        runner.train()
    model = unwrap(runner.model)
    weights = {
        name: value.numpy().copy()
        for name, value in model.state_dict().items()
    }
    stats = model.head.loss_module.class_stats
    return observer.indices, weights, stats


def train_both_ways(work_dir, stop_after, distributed):
    whole = train(work_dir / 'whole', distributed=distributed)
    train(work_dir / 'parts', stop_after, distributed=distributed)
    parts = train(work_dir / 'parts', resume=True, distributed=distributed)
    return whole, parts


def assert_same_end(whole, parts, stop_after):
    assert parts[0] == whole[0][stop_after:]
    assert parts[1].keys() == whole[1].keys()
    for name, value in whole[1].items():
        assert_array_equal(parts[1][name], value, err_msg=name)


@pytest.fixture(autouse=True)
def _no_environment_report(monkeypatch):
    monkeypatch.setattr('mmengine.runner.runner.collect_env', dict)


@pytest.mark.parametrize('stop_after', [1, 2])
def test_resumed_run_ends_with_the_same_weights(tmp_path, stop_after):
    whole, parts = train_both_ways(tmp_path, stop_after, False)
    assert_same_end(whole, parts, stop_after)


def wait_for_a_frozen_rank(rank, port, thawed, queue):
    """Rank 0 waits for rank 1; what it raises, and after how long."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK='0', WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
    )  # fmt: skip
    cfg = Config(dict(launcher='pytorch', env_cfg=dict(dist_cfg={})))
    cfg.env_cfg.dist_cfg = dict(backend='nccl', timeout=3)
    launch._use_gloo(cfg)
    torch.distributed.barrier()
    if rank:
        thawed.wait(60)
        return
    start = time.monotonic()
    try:
        torch.distributed.barrier()
    except RuntimeError as error:
        queue.put((str(error), time.monotonic() - start))
    else:
        queue.put(('', time.monotonic() - start))


def test_a_frozen_rank_ends_the_others_without_a_gpu():
    context = get_context('fork')
    thawed, queue = context.Event(), context.Queue()
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    processes = [
        context.Process(
            target=wait_for_a_frozen_rank, args=(rank, port, thawed, queue)
        )
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    try:
        error, seconds = queue.get(timeout=40)
    finally:
        thawed.set()
        for process in processes:
            process.join(timeout=10)
            process.kill()
    assert 'imed out' in error
    assert 2 < seconds < 20


@pytest.mark.parametrize('timeout', [0, -1, float('inf'), '1800', True])
def test_a_timeout_that_is_none_is_refused(timeout):
    cfg = Config(dict(launcher='pytorch'))
    cfg.env_cfg = dict(dist_cfg=dict(timeout=timeout))
    with pytest.raises((TypeError, ValueError), match=r'dist_cfg\.timeout'):
        launch._use_gloo(cfg)


def train_on_rank(rank, work_dir):
    return train_both_ways(work_dir, 1, True)


def test_two_ranks(tmp_path, on_two_ranks):
    """Stats, shards, weights and a resumed run of two processes."""
    ranks = on_two_ranks(train_on_rank, tmp_path)
    for whole, parts in ranks:
        assert_same_end(whole, parts, stop_after=1)

    (indices, weights, stats), _ = ranks[0]
    (other_indices, other_weights, other_stats), _ = ranks[1]
    assert stats == other_stats == ClassStats.single_label(COUNTS)
    for name, value in weights.items():
        if 'running' not in name:
            assert_array_equal(other_weights[name], value, err_msg=name)

    single, _, _ = train(tmp_path / 'single')
    kept = sorted(single[0])
    assert len(kept) == 15
    for first, second in zip(indices, other_indices, strict=True):
        assert len(first) == len(second) == 8
        assert set(first) | set(second) == set(kept)
    assert indices[0] != indices[1]
