import numpy as np
import pytest
from mmengine.evaluator import BaseMetric

from mmlt.class_stats import ClassStats
from mmlt.evaluation.metrics import ShotAccuracy, ShotMultiLabelMAP
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


@pytest.mark.parametrize('metric', [ShotAccuracy, ShotMultiLabelMAP])
def test_a_typing_error_is_not_swallowed(metric):
    with pytest.raises(TypeError, match='treshold'):
        metric(treshold=(20, 101))


@pytest.mark.parametrize('metric', [ShotAccuracy, ShotMultiLabelMAP])
def test_metrics_are_siblings(metric):
    assert metric.__mro__[1] is GroupedMetric
    assert issubclass(metric, BaseMetric)
