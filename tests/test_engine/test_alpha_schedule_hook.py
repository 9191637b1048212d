from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from mmlt.engine.hooks.alpha_schedule_hook import AlphaScheduleHook
from mmlt.models.classifiers import BBNClassifier
from mmlt.models.unwrap import unwrap

PARABOLIC = [1 - (epoch / 4) ** 2 for epoch in range(4)]


class Toy(BaseModel):
    """A model that remembers the alpha of every training step."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.register_buffer('alpha', torch.tensor(0.5), persistent=False)
        self.seen = []

    def forward(self, inputs, mode='tensor'):
        self.seen.append(self.alpha.item())
        return dict(loss=self.weight * inputs.sum() * self.alpha)


class NoAlpha(Toy):
    def __init__(self):
        super().__init__()
        self.alpha = None


class StopAfterTwoEpochs(Hook):
    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = runner.epoch == 1


def make_runner(
    work_dir, hook, model=None, train_cfg=None, images=4, **kwargs
):
    """Make a runner with two iterations an epoch and four epochs."""
    return Runner(
        model=model or Toy(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            dataset=[dict(inputs=torch.ones(1))] * images,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=train_cfg or dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='mmlt.AlphaScheduleHook', **hook)],
        experiment_name=uuid4().hex,
        **kwargs,
    )


def mock_runner(model=None, epoch=0, iteration=0, loop=EpochBasedTrainLoop):
    return SimpleNamespace(
        model=Toy() if model is None else model,
        epoch=epoch,
        iter=iteration,
        max_epochs=10,
        max_iters=1000,
        train_loop=loop.__new__(loop),
        message_hub=MessageHub(uuid4().hex),
    )


def test_by_epoch_and_logged(tmp_path):
    runner = make_runner(tmp_path, dict())
    runner.train()
    assert runner.model.seen == pytest.approx(np.repeat(PARABOLIC, 2))
    history, _ = runner.message_hub.get_scalar('train/alpha').data
    assert history == pytest.approx(PARABOLIC)
    log = next(tmp_path.rglob('*.json')).read_text()
    assert '"alpha": 0.75' in log


def test_by_iteration_in_an_epoch_based_loop(tmp_path):
    runner = make_runner(tmp_path, dict(schedule='linear', by_epoch=False))
    runner.train()
    assert runner.model.seen == pytest.approx([1 - i / 8 for i in range(8)])


@pytest.mark.parametrize('by_epoch', [True, False])
def test_iteration_based_loop(tmp_path, by_epoch):
    runner = make_runner(
        tmp_path,
        dict(schedule='linear', by_epoch=by_epoch),
        train_cfg=dict(by_epoch=False, max_iters=2),
    )
    runner.train()
    assert runner.model.seen == pytest.approx([1, 0.5])


def test_t_max_of_the_authors_code():
    hook = AlphaScheduleHook(t_max=20)
    runner = mock_runner(epoch=9)
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert runner.model.alpha.item() == pytest.approx(1 - (9 / 20) ** 2)


@pytest.mark.parametrize('schedule', ['parabolic', 'beta'])
def test_resumed_run_sees_the_same_alpha(tmp_path, schedule):
    whole = make_runner(tmp_path / 'whole', dict(schedule=schedule))
    whole.train()

    part = make_runner(tmp_path / 'part', dict(schedule=schedule))
    part.register_hook(StopAfterTwoEpochs())
    part.train()
    resumed = make_runner(
        tmp_path / 'part',
        dict(schedule=schedule),
        load_from=str(tmp_path / 'part' / 'epoch_2.pth'),
        resume=True,
    )
    resumed.train()
    assert part.model.seen + resumed.model.seen == whole.model.seen
    assert len(part.model.seen) == 4
    data = [
        runner.message_hub.get_scalar('train/alpha').data[0]
        for runner in (whole, resumed)
    ]
    np.testing.assert_array_equal(*data)


@pytest.mark.parametrize('images', [2, 4, 8])
@pytest.mark.parametrize('t_max', [None, 16])
def test_resumed_with_another_epoch_length(tmp_path, images, t_max):
    """As with another number of ranks or batch size: in range, and said."""
    hook = dict(schedule='linear', by_epoch=False, t_max=t_max)
    part = make_runner(tmp_path, hook)
    part.register_hook(StopAfterTwoEpochs())
    part.train()
    resumed = make_runner(
        tmp_path,
        hook,
        images=images,
        load_from=str(tmp_path / 'epoch_2.pth'),
        resume=True,
    )
    resumed.train()
    length = images // 2
    iterations = range(2 * length, 4 * length)
    expected = [1 - i / (t_max or 4 * length) for i in iterations]
    assert resumed.model.seen == pytest.approx(expected)
    (log,) = Path(resumed.log_dir).glob('*.log')
    told = log.read_text().count('The resumed training was meant for')
    assert told == (images != 4)


def test_resumed_with_more_epochs_says_so(tmp_path):
    two = dict(by_epoch=True, max_epochs=2)
    make_runner(tmp_path, {}, train_cfg=two).train()
    resumed = make_runner(tmp_path, {}, resume=True)
    resumed.train()
    assert resumed.model.seen == pytest.approx(np.repeat(PARABOLIC[2:], 2))
    (log,) = Path(resumed.log_dir).glob('*.log')
    assert 'meant for 2 epochs, and now is for 4' in log.read_text()


def train_by_iteration(rank, work_dir, resume):
    """Alpha of each step of a part of a run, on this number of ranks."""
    wrapper = dict(type='MMDistributedDataParallel', device_ids=None)
    distributed = torch.distributed.is_initialized()
    runner = make_runner(
        work_dir,
        dict(schedule='linear', by_epoch=False),
        images=8,
        resume=resume,
        launcher='pytorch' if distributed else 'none',
        cfg=dict(model_wrapper_cfg=wrapper if distributed else None),
    )
    if not resume:
        runner.register_hook(StopAfterTwoEpochs())
    runner.train()
    return unwrap(runner.model).seen


@pytest.mark.parametrize('first', [1, 2])
def test_resumed_on_another_number_of_ranks(tmp_path, on_two_ranks, first):
    """Alpha went to -0.98, and ended at 0.44."""

    def one(function, *args):
        return function(0, *args), None

    order = [one, on_two_ranks] if first == 1 else [on_two_ranks, one]
    start, _ = order[0](train_by_iteration, tmp_path, False)
    end, _ = order[1](train_by_iteration, tmp_path, True)
    assert len(start) == 2 * (4 if first == 1 else 2)
    assert len(end) == 2 * (2 if first == 1 else 4)
    assert start + end == pytest.approx(
        [1 - i / (2 * len(start)) for i in range(len(start))]
        + [0.5 - i / (2 * len(end)) for i in range(len(end))]
    )


def wrap_ddp(model, tmp_path):
    torch.distributed.init_process_group(
        'gloo', f'file://{tmp_path}/store', rank=0, world_size=1
    )
    return MMDistributedDataParallel(model)


@pytest.mark.parametrize('wrapper', ['plain', 'compile', 'ddp', 'both'])
def test_finds_the_buffer_behind_wrappers(tmp_path, wrapper):
    model = wrapped = Toy()
    buffer = model.alpha
    try:
        if wrapper in ('ddp', 'both'):
            wrapped = wrap_ddp(model, tmp_path)
        if wrapper in ('compile', 'both'):
            wrapped = torch.compile(wrapped)
        hook = AlphaScheduleHook('linear')
        hook.before_train_epoch(mock_runner(wrapped, epoch=3))
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()
    assert model.alpha is buffer
    assert buffer.item() == pytest.approx(0.7)


def test_model_without_alpha_stops_before_training(tmp_path):
    runner = make_runner(tmp_path, dict(), model=NoAlpha())
    with pytest.raises(TypeError, match='NoAlpha has none'):
        runner.train()


@pytest.mark.parametrize(
    ('by_epoch', 'loop', 'last'),
    [
        (True, EpochBasedTrainLoop, 9),
        (False, EpochBasedTrainLoop, 999),
        (True, IterBasedTrainLoop, 999),
    ],
)
def test_t_max_must_reach_the_end(by_epoch, loop, last):
    runner = mock_runner(loop=loop)
    AlphaScheduleHook(t_max=last, by_epoch=by_epoch).before_train(runner)
    hook = AlphaScheduleHook(t_max=last - 1, by_epoch=by_epoch)
    with pytest.raises(ValueError, match=f'use at least {last}'):
        hook.before_train(runner)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(schedule='parabola'), "one of .*'linear'.* got 'parabola'"),
        (dict(t_max=0), 't_max=0'),
        (dict(t_max=-5), 't_max=-5'),
        (dict(t_max=float('nan')), 't_max=nan'),
        (dict(schedule='linear', schedule_args=dict(at=0.5)), 'at'),
        (dict(schedule='step', schedule_args=dict(at=1.5)), 'at must be in'),
        (dict(schedule='beta', schedule_args=dict(a=-1)), 'a'),
        (dict(schedule=['linear']), r"got \['linear'\]"),
        (dict(t_max=True), 't_max=True'),
        (dict(t_max='90'), "t_max='90'"),
        (dict(schedule_args='at'), 'schedule_args=at do not fit'),
        (dict(schedule_args=False), 'schedule_args=False do not fit'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        HOOKS.build(dict(type='mmlt.AlphaScheduleHook', **arguments))


@pytest.mark.parametrize(
    ('schedule', 'name'),
    [('step', 'at'), ('beta', 'a'), ('beta', 'b'), ('beta', 'seed')],
)
@pytest.mark.parametrize(
    'value', [True, float('nan'), float('inf'), '0.5', None, -1]
)
def test_nonsense_for_the_schedule(schedule, name, value):
    arguments = dict(schedule=schedule, schedule_args={name: value})
    with pytest.raises(ValueError, match=f'do not fit .*{name} must be'):
        HOOKS.build(dict(type='mmlt.AlphaScheduleHook', **arguments))


@pytest.mark.parametrize('value', [1, 'yes', None])
def test_by_epoch_is_a_switch(value):
    with pytest.raises(TypeError, match='by_epoch must be True or False'):
        AlphaScheduleHook(by_epoch=value)


@pytest.mark.parametrize('own', [False, True])
def test_bbn_needs_batches_of_two_samplers(own):
    class Own(BatchSampler):
        pass

    data = list(range(8))
    sampler = (Own if own else BatchSampler)(SequentialSampler(data), 2, True)
    model = BBNClassifier.__new__(BBNClassifier)
    torch.nn.Module.__init__(model)
    model.register_buffer('alpha', torch.tensor(0.5))
    runner = mock_runner(model)
    runner.train_dataloader = DataLoader(data, batch_sampler=sampler)
    hook = AlphaScheduleHook()
    if own:
        hook.before_train(runner)
        return
    with pytest.raises(ValueError, match=r'mmlt\.BilateralBatchSampler'):
        hook.before_train(runner)
