import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset

from mmlt.analysis.report.samplers import repeat_threshold
from mmlt.analysis.report.training_set import describe_training_set
from mmlt.class_stats import ClassStats, collect_class_stats
from mmlt.class_stats.labels import collect_labels

NAMES = ('few', 'medium', 'many')
CLASSES = ['a', 'b', 'c', 'd']


class Listed(BaseDataset):
    METAINFO = {'classes': CLASSES}  # noqa: RUF012

    def __init__(self, entries):
        self.entries = entries
        super().__init__()

    def load_data_list(self):
        return self.entries


def labelled(*labels):
    return Listed([dict(gt_label=label) for label in labels])


def boxed(*images):
    """Of each image its (class, width) pairs; boxes are squares."""
    return Listed(
        [
            dict(
                width=200,
                height=200,
                instances=[
                    dict(
                        bbox=[9, 5, 9 + side, 5 + side],
                        bbox_label=k,
                        ignore_flag=0,
                    )
                    for k, side in image
                ],
            )
            for image in images
        ]
    )


def describe(dataset, thresholds=(2, 5)):
    stats = collect_class_stats(dataset)
    return describe_training_set(dataset, stats, thresholds, NAMES)


def test_single_label_data():
    facts = describe(labelled(*[0] * 6, *[1] * 3, 2))
    assert facts['task'] == 'single-label'
    assert facts['imbalance_factor'] == 6
    assert facts['classes_without_images'] == 1
    assert [
        (g['name'], g['range'], g['classes'], g['images'])
        for g in facts['groups']
    ] == [
        ('many', '> 4', 1, 6),
        ('medium', '2 to 4', 1, 3),
        ('few', '< 2', 2, 1),
    ]
    uniform, root, balanced, reversed_ = facts['samplers']
    assert uniform['rarest'] == uniform['most_frequent'] == 1
    # Ten draws, a third of them of each class that has images.
    assert balanced['epoch'] == 10
    assert balanced['rarest'] == pytest.approx(10 / 3)
    assert balanced['most_frequent'] == pytest.approx(10 / 18)
    weights = 6**-1 + 3**-1 + 1
    assert reversed_['rarest'] == pytest.approx(10 / weights)
    assert root['most_seen'] == root['rarest']
    assert facts['classes'][1]['effective_number'] == pytest.approx(
        (1 - 0.9999**3) / (1 - 0.9999)
    )
    assert 'links' not in facts
    # A class without images needs a policy.
    assert "zero_count='one'" in ''.join(facts['methods'][0]['lines'])


def test_multi_label_data():
    facts = describe(labelled([0, 1], [0], [0, 2, 1], [], [3], [0]))
    assert facts['task'] == 'multi-label'
    assert facts['cardinality'] == [1, 3, 1, 1]
    assert facts['images_without_label'] == 1
    assert facts['mean_cardinality'] == pytest.approx(8 / 6)
    together = facts['co_occurrence'].to_dict()
    assert together['probability'][1] == [1, 1, 0.5, 0]
    assert together['alone'] == [0.5, 0, 0, 1]
    first = facts['links'][0]
    assert (first['class'], first['implies'], first['share']) == ('b', 'a', 1)
    aware, repeat = facts['samplers'][1:]
    assert aware['epoch'] == 4 * 4 // 4
    # Drawn for c alone, it comes for a and b, too.
    assert aware['most_seen'] == pytest.approx(4 / 4 * (1 / 4 + 1 / 2 + 1))
    assert repeat['epoch'] >= 6


def test_detection_data():
    dataset = ConcatDataset(
        [
            boxed([(0, 10), (0, 40)], [(0, 31), (1, 32)]),
            boxed([(0, 96)], [(2, 100)], [(0, 95)], [(0, 5)]),
        ]
    )
    facts = describe(dataset)
    assert facts['task'] == 'detection'
    assert facts['num_instances'] == 8
    assert facts['sizes'] == [
        dict(name='many', small=3, medium=2, large=1),
        dict(name='medium', small=0, medium=0, large=0),
        dict(name='few', small=0, medium=1, large=1),
    ]
    t = facts['repeat_factor_threshold']
    assert t == 0.8  # of 5 / 6
    repeat = facts['samplers'][1]
    assert repeat['rarest'] == pytest.approx((t * 6) ** 0.5)
    assert repeat['most_frequent'] == pytest.approx((4 + (t * 6) ** 0.5) / 5)
    by_class = [each['repeat_factor'] for each in facts['classes']]
    assert by_class == pytest.approx([1, (t * 6) ** 0.5, (t * 6) ** 0.5, 1])


def test_areas_follow_their_boxes():
    labels = collect_labels(boxed([(0, 3), (1, 4)], [], [(2, 5)]))
    np.testing.assert_array_equal(labels.areas, [9, 16, 25])
    np.testing.assert_array_equal(labels.take([2, 0]).areas, [25, 9, 16])
    assert collect_labels(labelled(0, 1)).areas is None


def test_threshold_of_lvis_is_that_of_its_authors():
    stats = ClassStats.from_json('lvis_v1')
    assert repeat_threshold(stats, (11, 101)) == 1e-3
    assert repeat_threshold(stats, ()) == 1e-3
    few = ClassStats([3, 2], num_images=5)
    assert repeat_threshold(few, (20, 101)) == 1
