import copy
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel, MMDistributedDataParallel
from mmengine.runner import Runner
from torch import nn
from torch.testing import assert_close
from torch.utils.data import Dataset


class Images(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.randn(3, 4, 4, generator=generator))


class Toy(BaseModel):
    """A trunk with batch norm, two heads."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
        self.heads = nn.ModuleList([nn.Linear(4, 2), nn.Linear(4, 2)])
        self.fixed = nn.Linear(1, 1).requires_grad_(False)

    def forward(self, inputs, mode='tensor'):
        feature = self.trunk(torch.stack(inputs)).mean((2, 3))
        out = sum(head(feature).square().mean() for head in self.heads)
        return dict(loss=out) if mode == 'loss' else out


def make_runner(work_dir, trainable, epochs=2, batch_size=2, **kwargs):
    torch.manual_seed(0)
    hook = dict(type='mmlt.TrainablePartsHook', trainable=trainable)
    hook.update(kwargs.pop('hook', {}))
    model = kwargs.setdefault('model', Toy())
    if not kwargs.get('resume') and 'load_from' not in kwargs:
        # What is frozen must come from somewhere; here, from itself.
        work_dir.mkdir(parents=True, exist_ok=True)
        first = work_dir / f'first_{os.environ.get("RANK", 0)}.pth'
        torch.save({'state_dict': model.state_dict()}, first)
        kwargs['load_from'] = str(first)
    config = dict(
        work_dir=str(work_dir),
        train_dataloader=dict(
            dataset=Images(),
            batch_size=batch_size,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1)
        ),
        custom_hooks=[hook],
        env_cfg=dict(dist_cfg=dict(backend='gloo')),
        experiment_name=f'{work_dir}_{epochs}',
        default_scope='mmengine',
    )
    return Runner(**{**config, **kwargs})


def state(runner):
    return copy.deepcopy(runner.model.state_dict())


def changed(before, after):
    return {name for name in before if not before[name].equal(after[name])}


def log_of(runner):
    (log,) = Path(runner.log_dir).glob('*.log')
    return log.read_text()


@pytest.mark.parametrize(
    ('trainable', 'expected'),
    [
        (['heads.1'], {'heads.1.weight', 'heads.1.bias'}),
        (['heads.*.bias'], {'heads.0.bias', 'heads.1.bias'}),
        (
            ['heads.[0]', '*.0.bias'],
            {'heads.0.weight', 'heads.0.bias', 'trunk.0.bias'},
        ),
    ],
)
def test_all_else_stays_bit_equal(tmp_path, trainable, expected):
    runner = make_runner(tmp_path, trainable)
    before = state(runner)
    runner.train()
    # Weight decay would change a bias of the frozen trunk, a batch would
    # change its running mean.
    assert changed(before, state(runner)) == expected


def test_missing_first_stage_is_named(tmp_path):
    path = str(tmp_path / 'first' / 'epoch_12.pth')
    runner = make_runner(tmp_path, ['heads'], load_from=path)
    with pytest.raises(FileNotFoundError, match='train that one first') as e:
        runner.train()
    assert path in str(e.value)


class Pretrained(Toy):
    """What is not in the first head comes from a file."""

    def __init__(self, path, where):
        super().__init__()
        config = dict(type='Pretrained', checkpoint=str(path))
        parts = dict(model=[self], trunk=[self.trunk, self.heads[0]])
        for part in parts[where]:
            part.init_cfg = [dict(type='Normal', layer='Linear'), config]
            part.init_weights = lambda: None


def test_stops_before_it_freezes_random_values(tmp_path):
    """As with MMPretrain's own `--resume` in an empty folder."""
    runner = make_runner(tmp_path, ['heads.1'], load_from=None, resume=True)
    with pytest.raises(ValueError, match=r'random values: heads\.0') as error:
        runner.train()
    assert 'load_from=PATH' in str(error.value)
    assert 'fixed' not in str(error.value)  # The model itself froze it.
    assert runner.iter == 0


def test_pretrained_parts_may_be_frozen(tmp_path):
    for where, trainable in (('model', 'heads.1'), ('trunk', 'heads.1')):
        model = Pretrained(tmp_path / 'first.pth', where)
        make_runner(
            tmp_path / where, [trainable], load_from=None, model=model
        ).train()
    model = Pretrained(tmp_path / 'first.pth', 'trunk')
    runner = make_runner(tmp_path, ['trunk'], load_from=None, model=model)
    with pytest.raises(ValueError, match=r'random values: heads\.1\.bias'):
        runner.train()


def test_norm_eval_off_keeps_counting(tmp_path):
    runner = make_runner(tmp_path, ['heads'], hook=dict(norm_eval=False))
    before = state(runner)
    runner.train()
    names = changed(before, state(runner))
    assert 'trunk.1.running_mean' in names
    assert 'trunk.1.weight' not in names


def test_norm_of_a_trained_part_trains(tmp_path):
    runner = make_runner(tmp_path, ['trunk'])
    before = state(runner)
    runner.train()
    names = changed(before, state(runner))
    assert {'trunk.0.weight', 'trunk.1.running_mean'} <= names
    assert not any(name.startswith('heads') for name in names)


def test_says_how_many_parameters_train(tmp_path):
    runner = make_runner(tmp_path, ['heads.1'])
    runner.train()
    # 4 x 2 + 2 of 12 + 4 + 8 + 20 + 2.
    assert 'Training 10 of 46 parameters (21.74%)' in log_of(runner)


@pytest.mark.parametrize(
    ('trainable', 'message'),
    [
        (['heads', 'head.1'], r"'head.1' fits no parameter.*'heads.1'"),
        (['fixed'], r"'fixed' fits only parameters that the model"),
    ],
)
def test_a_pattern_without_match_raises(tmp_path, trainable, message):
    with pytest.raises(ValueError, match=message):
        make_runner(tmp_path, trainable).train()


@pytest.mark.parametrize('trainable', ['heads', []])
def test_trainable_must_be_a_list(tmp_path, trainable):
    with pytest.raises(ValueError, match='must be a list'):
        make_runner(tmp_path, trainable)


def test_resumed_run_equals_straight_run(tmp_path):
    straight = make_runner(tmp_path / 'a', ['heads.0'])
    straight.train()
    make_runner(tmp_path / 'b', ['heads.0'], epochs=1).train()
    resumed = make_runner(tmp_path / 'b', ['heads.0'], resume=True)
    resumed.train()
    assert resumed.iter == 4
    assert changed(state(straight), state(resumed)) == set()


def test_says_what_a_checkpoint_does_not_fill(tmp_path):
    checkpoint = {f'module.{k}': v for k, v in Toy().state_dict().items()}
    checkpoint['module.heads.1.weight'] = torch.zeros(3, 4)
    del checkpoint['module.trunk.0.bias']
    torch.save({'state_dict': checkpoint}, tmp_path / 'baseline.pth')
    runner = make_runner(
        tmp_path, ['heads.1'], load_from=str(tmp_path / 'baseline.pth')
    )
    runner.train()
    log = log_of(runner)
    assert (
        'Trained afresh, not loaded: heads.1.weight (2, 4), in the '
        'checkpoint (3, 4)\n'
    ) in log
    assert 'Frozen at random values' in log
    assert 'fit: trunk.0.bias (4,), in the checkpoint absent\n' in log


@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_fresh_parts_are_not_loaded(tmp_path, prefix):
    first = {k: v + 1 for k, v in Toy().state_dict().items()}
    content = {'state_dict': {prefix + k: v for k, v in first.items()}}
    path = tmp_path / 'first.pth'
    torch.save(content, path)
    runner = make_runner(
        tmp_path,
        ['heads.1'],
        load_from=str(path),
        hook=dict(fresh=True),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0)),
    )
    before = state(runner)
    runner.train()
    after = state(runner)
    for name, value in after.items():
        expected = before if name.startswith('heads.1') else first
        assert value.equal(expected[name]), name
    assert 'Trained afresh, not loaded: heads.1.weight' in log_of(runner)


def test_fresh_parts_are_resumed(tmp_path):
    hook = dict(fresh=True)
    straight = make_runner(tmp_path / 'a', ['heads.0'], hook=hook)
    straight.train()
    make_runner(tmp_path / 'b', ['heads.0'], epochs=1, hook=hook).train()
    resumed = make_runner(tmp_path / 'b', ['heads.0'], resume=True, hook=hook)
    resumed.train()
    assert changed(state(straight), state(resumed)) == set()


@pytest.mark.parametrize('switch', ['norm_eval', 'fresh'])
def test_switches(tmp_path, switch):
    with pytest.raises(TypeError, match=f'{switch} must be True or False'):
        make_runner(tmp_path, ['heads'], hook={switch: 'no'})


def test_names_are_those_behind_torch_compile(tmp_path):
    model = torch.compile(Toy(), backend='eager')
    runner = make_runner(tmp_path / 'a', ['heads.1'], model=model)
    before = state(runner)
    runner.train()
    assert {
        name.split('.', 1)[1] for name in changed(before, state(runner))
    } == {'heads.1.weight', 'heads.1.bias'}
    for name, told in (('compiled', False), ('plain', True)):
        content = runner.model if name == 'compiled' else Toy()
        path = tmp_path / f'{name}.pth'
        torch.save({'state_dict': content.state_dict()}, path)
        model = torch.compile(Toy(), backend='eager')
        loaded = make_runner(
            tmp_path / name, ['heads.1'], model=model, load_from=str(path)
        )
        loaded.train()
        # MMEngine does not fill a compiled model with plain names.
        assert ('Frozen at random values' in log_of(loaded)) == told


def train_on_rank(rank, work_dir):
    wrapper = dict(
        type='MMDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
    )
    runner = make_runner(
        work_dir,
        ['heads.1'],
        batch_size=1,
        launcher='pytorch',
        cfg=Config(dict(model_wrapper_cfg=wrapper)),
    )
    first = runner.model
    runner.train()
    assert runner.model is not first
    assert isinstance(runner.model, MMDistributedDataParallel)
    assert not runner.model.find_unused_parameters
    # A plain list: tensors of a process that ends cannot be shared.
    return {
        name: value.tolist()
        for name, value in runner.model.module.state_dict().items()
    }


def test_two_ranks_train_as_one(tmp_path, on_two_ranks):
    # The wrapper of before the freezing would raise in the second step.
    first, second = on_two_ranks(train_on_rank, tmp_path / 'two')
    assert first == second
    runner = make_runner(tmp_path / 'one', ['heads.1'])
    before = state(runner)
    runner.train()
    after = state(runner)
    assert changed(before, after) == {'heads.1.weight', 'heads.1.bias'}
    for name, value in after.items():
        assert_close(torch.tensor(first[name]), value)
