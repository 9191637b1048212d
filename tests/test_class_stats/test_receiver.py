import copy

import pytest
import torch
from torch import nn

from mmlt.class_stats import ClassStats
from mmlt.class_stats.receiver import ClassStatsModule, ClassStatsReceiver

STATS = ClassStats([6, 3, 1], [9, 3, 2], 7)
OTHER = ClassStats([5, 2], num_images=9)


class Rarest(ClassStatsModule):
    """Knows the smallest count; refuses empty classes."""

    def __init__(self, class_stats=None):
        super().__init__()
        self.register_buffer('rarest', torch.zeros(()), persistent=False)
        self.init_class_stats(class_stats)

    def on_class_stats(self, stats):
        if stats.image_count.min() == 0:
            raise ValueError('a class is empty')
        self.rarest.fill_(int(stats.image_count.min()))


class KeepsThem(ClassStatsReceiver):
    def __init__(self, class_stats=None):
        self.init_class_stats(class_stats)


def with_empty_class():
    module = ClassStatsModule()
    module.set_class_stats(ClassStats([6, 0]))
    return module.state_dict()


def test_starts_without():
    module = Rarest()
    assert module.class_stats is None
    with pytest.raises(ValueError, match='Rarest has no class statistics'):
        module.check_class_stats()


@pytest.mark.parametrize('stats', [STATS, OTHER])
def test_set(stats):
    module = Rarest()
    module.set_class_stats(stats)
    module.check_class_stats()
    # Names are not kept in buffers.
    assert module.class_stats == ClassStats(
        stats.image_count, stats.instance_count, stats.num_images
    )
    assert module.rarest == stats.image_count.min()
    module.set_class_stats(ClassStats([8, 8]))
    assert module.rarest == 8


def test_given_wins():
    module = Rarest(STATS)
    module.set_class_stats(OTHER)
    assert module.class_stats == STATS
    trained = Rarest()
    trained.set_class_stats(OTHER)
    module.load_state_dict(trained.state_dict())
    assert module.class_stats == STATS
    assert module.rarest == 1


@pytest.mark.parametrize('before', [None, OTHER])
def test_checkpoint_replaces_those_of_the_hook(before):
    trained = nn.Sequential(Rarest(STATS))
    module = nn.Sequential(Rarest())
    if before is not None:
        module[0].set_class_stats(before)
    module.load_state_dict(copy.deepcopy(trained.state_dict()))
    assert module[0].class_stats == STATS
    assert module[0].rarest == 1
    assert trained.state_dict().keys() == {
        '0.image_count', '0.instance_count', '0.num_images'
    }  # fmt: skip


@pytest.mark.parametrize('missing', ['all', 'num_images'])
def test_checkpoint_without_changes_nothing(missing):
    state = Rarest(OTHER).state_dict()
    for name in list(state):
        if missing in ('all', name):
            del state[name]
    module = Rarest()
    module.set_class_stats(STATS)
    module.load_state_dict(state)
    assert module.class_stats == STATS


def test_checkpoint_of_a_module_that_had_none():
    module = Rarest()
    module.load_state_dict(Rarest().state_dict())
    assert module.class_stats is None


def test_unusable_are_refused_and_not_kept():
    module = Rarest()
    with pytest.raises(ValueError, match='a class is empty'):
        module.set_class_stats(ClassStats([6, 0]))
    assert module.class_stats is None
    with pytest.raises(RuntimeError, match=r'0\.: a class is empty'):
        nn.Sequential(module).load_state_dict(
            nn.Sequential(Rarest(STATS)).state_dict()
            | {f'0.{name}': x for name, x in with_empty_class().items()}
        )
    assert module.class_stats is None


NAMED = ClassStats([6, 3, 1], [9, 3, 2], 7, ('ant', 'bee', 'cat'))


@pytest.mark.parametrize('receiver', [Rarest, KeepsThem])
def test_given_are_put_in_order(receiver):
    part = receiver(NAMED)
    part.align_class_stats(('ant', 'bee', 'cat'))
    part.align_class_stats(None)
    assert part.class_stats.image_count.tolist() == [6, 3, 1]
    part.align_class_stats(('cat', 'bee', 'ant'))
    assert part.class_stats.image_count.tolist() == [1, 3, 6]
    assert part.class_stats.instance_count.tolist() == [2, 3, 9]
    # A second time nothing changes.
    part.align_class_stats(('cat', 'bee', 'ant'))
    part.set_class_stats(OTHER)
    assert part.class_stats.image_count.tolist() == [1, 3, 6]
    words = rf"class_stats of {receiver.__name__}: .* is 'bee' against 'bug'"
    with pytest.raises(ValueError, match=words):
        part.align_class_stats(('cat', 'bug', 'ant'))


def test_what_is_not_given_has_no_order():
    part = Rarest()
    part.set_class_stats(NAMED)
    part.align_class_stats(('fox', 'gnu'))
    assert part.class_stats.image_count.tolist() == [6, 3, 1]


def test_names_of_given_ones_survive_copies_and_checkpoints():
    part = copy.deepcopy(Rarest(NAMED))
    part.load_state_dict(Rarest(OTHER).state_dict())
    part.align_class_stats(('cat', 'bee', 'ant'))
    assert part.class_stats.image_count.tolist() == [1, 3, 6]


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('num_images', torch.ones(2, dtype=torch.long)),
        ('num_images', torch.tensor(1)),
        ('image_count', torch.ones(3, 2, dtype=torch.long)),
        ('image_count', torch.tensor([6, -3, 1])),
    ],
)
def test_damaged_buffers_are_refused_and_not_kept(name, value):
    state = Rarest(STATS).state_dict() | {name: value}
    module = Rarest()
    with pytest.raises(RuntimeError, match='class statistics in'):
        module.load_state_dict(state)
    assert module.class_stats is None
    module.set_class_stats(OTHER)
    assert module.class_stats == OTHER


def test_moves_with_the_module():
    module = Rarest(STATS).to('meta')
    assert all(buffer.is_meta for buffer in module.buffers())
    other = copy.deepcopy(Rarest(STATS)).half()
    assert other.image_count.dtype == torch.long
    assert other.class_stats == STATS
