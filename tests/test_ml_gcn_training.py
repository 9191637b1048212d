"""ML-GCN in one process, in two, resumed, and tested without training."""

import os

import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from mmpretrain.structures import DataSample
from torch.testing import assert_close

from mmlt.models.unwrap import unwrap

EPOCHS = 2
ROWS = [[0, 1], [0], [], [0, 1, 2], [1, 2], [0, 1], [2], [0]]


@DATASETS.register_module(force=True)
class LabelledVectors(BaseDataset):
    """Eight features with their labels; the fourth class has no image."""

    METAINFO = {'classes': ('ant', 'bee', 'cat', 'dog')}  # noqa: RUF012

    def load_data_list(self):
        return [{'gt_label': row} for row in ROWS]

    def prepare_data(self, idx):
        generator = torch.Generator().manual_seed(idx)
        score = torch.zeros(4)
        score[self.get_data_info(idx)['gt_label']] = 1
        sample = DataSample().set_gt_score(score)
        inputs = torch.randn(6, generator=generator)
        return {'inputs': inputs, 'data_samples': sample}


class StopError(Exception):
    """Stands for a run that is stopped."""


class Stopper(Hook):
    """Stop before the second epoch."""

    priority = 'LOWEST'

    def before_train_epoch(self, runner):
        if runner.epoch == 1:
            raise StopError


BCE = dict(type='CrossEntropyLoss', use_sigmoid=True)
DEFERRED = dict(
    type='mmlt.MultiLabelLDAMLoss', scale=1.0, class_weight='inverse'
)


def make_runner(work_dir, distributed=False, batch_size=4, loss=BCE, **kwargs):
    loader = dict(
        batch_size=batch_size,
        dataset=dict(type='LabelledVectors'),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='pseudo_collate'),
    )
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    return Runner(
        model=dict(
            type='ImageClassifier',
            backbone=dict(type='mmlt.ImageFeatures', in_channels=6),
            head=dict(
                type='mmlt.GCNHead',
                num_classes=4,
                in_channels=6,
                hidden_channels=8,
                loss=loss,
            ),
        ),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=EPOCHS),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        test_dataloader=loader,
        test_cfg=dict(),
        test_evaluator=dict(type='mmlt.ShotMultiLabelMAP', thresholds=(2, 4)),
        default_hooks=dict(
            class_stats=dict(type='mmlt.ClassStatsHook'),
            checkpoint=dict(type='CheckpointHook', interval=1),
        ),
        cfg=dict(model_wrapper_cfg=wrapper),
        launcher='pytorch' if distributed else 'none',
        randomness=dict(seed=0),
        default_scope='mmpretrain',
        experiment_name=f'gcn{os.getpid()}_{work_dir.name}',
        **kwargs,
    )


def state_of(runner):
    return {k: v.clone() for k, v in unwrap(runner.model).state_dict().items()}


def train(work_dir, **kwargs):
    runner = make_runner(work_dir, **kwargs)
    runner.train()
    return state_of(runner)


def train_on_rank(rank, work_dir):
    state = train(work_dir, distributed=True, batch_size=2)
    return {name: value.numpy() for name, value in state.items()}


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    return folder, train(folder)


def test_graph_is_that_of_the_training_set(whole):
    _, state = whole
    graph = state['head.adjacency']
    # ant 5, bee 4, cat 3 images; ant and bee share 3, bee and cat 2.
    assert (graph != 0).int().tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 0],
        [0, 0, 0, 1],
    ]


def test_two_ranks_equal_one(whole, tmp_path, on_two_ranks):
    """Rank 0 counts; both have its graph, and end with the same weights."""
    ranks = on_two_ranks(train_on_rank, tmp_path)
    _, alone = whole
    for name, value in alone.items():
        first, second = (torch.from_numpy(state[name]) for state in ranks)
        assert torch.equal(first, second), name
        assert_close(first, value, atol=1e-6, rtol=1e-5)
    assert (ranks[0]['head.adjacency'] != 0).sum() == 8


def test_resume_is_bit_equal(whole, tmp_path):
    runner = make_runner(tmp_path, custom_hooks=[Stopper()])
    with pytest.raises(StopError):
        runner.train()
    state = train(tmp_path, resume=True)
    _, expected = whole
    assert state.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(state[name], value), name


def test_tests_without_the_training_set(whole, tmp_path):
    folder, expected = whole
    runner = make_runner(
        tmp_path, load_from=str(folder / f'epoch_{EPOCHS}.pth')
    )
    runner._train_dataloader = runner._train_loop = None
    scores = runner.test()
    assert 0 < scores['multi-label/mAP'] <= 100
    assert torch.equal(state_of(runner)['head.adjacency'],
                       expected['head.adjacency'])  # fmt: skip


def test_the_average_of_the_weights_has_the_graph(tmp_path):
    runner = make_runner(tmp_path, custom_hooks=[dict(type='EMAHook')])
    runner.train()
    (hook,) = (h for h in runner.hooks if hasattr(h, 'ema_model'))
    average = unwrap(hook.ema_model.module)
    assert average.head.adjacency.any()


def test_a_graph_without_edges_stops_before_the_first_step(tmp_path):
    runner = make_runner(tmp_path)
    runner.model.head.threshold = 1.0
    with pytest.raises(ValueError, match='graph without edges'):
        runner.train()
    assert runner.iter == 0


def test_deferred_weights_of_a_resumed_run(tmp_path):
    """They begin with the epoch that is resumed; one image has no label."""
    hook = dict(type='mmlt.DeferredReweightHook', begin=1)
    how = dict(loss=DEFERRED, custom_hooks=[hook])
    expected = train(tmp_path / 'whole', **how)
    runner = make_runner(
        tmp_path / 'parts', loss=DEFERRED, custom_hooks=[hook, Stopper()]
    )
    with pytest.raises(StopError):
        runner.train()
    state = train(tmp_path / 'parts', resume=True, **how)
    for name, value in expected.items():
        assert torch.equal(state[name], value), name
    never = train(tmp_path / 'never', loss=DEFERRED, custom_hooks=[
        dict(type='mmlt.DeferredReweightHook', begin=9)
    ])  # fmt: skip
    weight = 'head.conv1.weight'
    assert not torch.equal(never[weight], expected[weight])
