import numpy as np
import pytest
from mmengine.evaluator import BaseMetric

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import (
    ShotAccuracy,
    ShotMultiLabelMAP,
    grouped,
)
from mmlt.evaluation.metrics.grouped import GroupedMetric


class Share(GroupedMetric):
    """Share of the test images that a class has."""

    default_prefix = 'share'
    group_key = 'of_{}'

    def __init__(self, class_stats=None, group_names=('rare', 'frequent')):
        super().__init__((50,), group_names, class_stats)

    def process(self, data_batch, data_samples):
        self.check_class_stats()
        self.results += data_samples

    def compute_metrics(self, results):
        count = np.bincount(results, minlength=self.class_stats.num_classes)
        values = np.where(count, 100 * count / count.sum(), np.nan)
        return self.group_results('share', values, count)


def test_a_subclass_writes_its_values_only():
    metric = Share([60, 9, 70])
    metric.process(None, [0, 0, 1, 2])
    assert metric.evaluate(4) == {
        'share/of_frequent': 37.5,
        'share/of_rare': 25.0,
    }


def test_group_without_values_is_left_out():
    metric = Share([60, 9, 70])
    metric.process(None, [0, 0, 2, 2])
    assert metric.evaluate(4) == {'share/of_frequent': 50.0}


def test_statistics_are_received():
    metric = Share()
    with pytest.raises(ValueError, match='Share has no class statistics'):
        metric.process(None, [0])
    metric.set_class_stats(ClassStats.single_label([9, 60]))
    assert metric.groups.tolist() == [0, 1]
    metric.set_class_stats(ClassStats.single_label([60, 9]))
    assert metric.groups.tolist() == [1, 0]


@pytest.mark.parametrize(
    ('names', 'match'),
    [
        (('rare',), 'group_names must hold 2 names'),
        (('rare', 'rare'), 'group_names must differ from each other'),
    ],
)
def test_bad_names(names, match):
    with pytest.raises(ValueError, match=match):
        Share(group_names=names)


def test_names_of_classes():
    stats = ClassStats([1, 2], classes=['a', 'b'])
    assert list(Share([1, 2]).class_names) == [0, 1]
    metric = Share(stats)
    assert list(metric.class_names) == ['a', 'b']
    metric.dataset_meta = {'classes': ('cat', 'dog')}
    assert list(metric.class_names) == ['cat', 'dog']


NAMED = ClassStats.single_label([60, 9, 70], ['ant', 'bee', 'cat'])


@pytest.mark.parametrize(
    ('given', 'hook'), [(True, True), (True, False), (False, True)]
)
@pytest.mark.parametrize('early', [True, False])
def test_statistics_follow_the_names(given, hook, early):
    """Whoever comes first, the data set, the statistics, or the batch."""
    metric = Share(NAMED if given else None)
    meta = {'classes': ('cat', 'ant', 'bee')}
    if early:
        metric.dataset_meta = meta
    if hook:
        metric.set_class_stats(NAMED)
    metric.dataset_meta = meta
    metric.process(None, [0, 1, 1, 2])
    assert metric.class_stats.image_count.tolist() == [70, 60, 9]
    assert metric.groups.tolist() == [1, 1, 0]
    assert metric.class_stats.classes == meta['classes']
    assert metric.evaluate(4)['share/of_rare'] == 25.0


def test_another_order_is_said_once(monkeypatch):
    said = []
    monkeypatch.setattr(
        grouped, 'print_log', lambda text, **kwargs: said.append(text)
    )
    metric = Share(NAMED)
    metric.dataset_meta = {'classes': ('cat', 'ant', 'bee')}
    for _ in range(2):
        metric.process(None, [0])
    assert len(said) == 1
    assert said[0].startswith('Share: the classes of the test set have')


def test_statistics_of_other_names():
    metric = Share()
    metric.dataset_meta = {'classes': ('ant', 'bee', 'dog')}
    with pytest.raises(ValueError, match="the test set: class 2 is 'cat' ag"):
        metric.set_class_stats(NAMED)
    metric = Share(NAMED)
    metric.dataset_meta = {'classes': ('ant', 'bee')}
    with pytest.raises(ValueError, match=r'the test set has 2 .* hold 3'):
        metric.process(None, [0])
    # A side without names says nothing of the order.
    metric = Share([60, 9, 70])
    metric.dataset_meta = {'classes': ('ant', 'bee', 'dog')}
    metric.process(None, [0])


@pytest.mark.parametrize('metric', [ShotAccuracy, ShotMultiLabelMAP])
def test_per_class_is_a_switch(metric):
    with pytest.raises(TypeError, match='per_class must be True or False'):
        metric(per_class=1)


@pytest.mark.parametrize('metric', [ShotAccuracy, ShotMultiLabelMAP])
def test_a_typing_error_is_not_swallowed(metric):
    with pytest.raises(TypeError, match='treshold'):
        metric(treshold=(20, 101))


@pytest.mark.parametrize('metric', [ShotAccuracy, ShotMultiLabelMAP])
def test_metrics_are_siblings(metric):
    assert metric.__mro__[1] is GroupedMetric
    assert issubclass(metric, BaseMetric)
