import copy
import json
import pickle

import numpy as np
import pytest
import torch
from mmengine.config import Config
from numpy.testing import assert_allclose, assert_array_equal

from mmlt.class_stats import ClassStats

COUNTS = [500, 101, 100, 20, 19, 0]
NAMES = ('ant', 'bee', 'cat', 'dog', 'eel', 'fly')


@pytest.fixture
def stats():
    """Detection statistics: more instances than images."""
    return ClassStats(COUNTS, [900, 101, 150, 50, 19, 0], 600, NAMES)


def test_single_label():
    stats = ClassStats.single_label(COUNTS, NAMES)
    assert stats.num_classes == 6
    assert stats.num_images == 740
    assert stats.classes == NAMES
    assert_array_equal(stats.image_count, COUNTS)
    assert_array_equal(stats.instance_count, COUNTS)
    assert stats.image_count.dtype == stats.instance_count.dtype == np.int64


@pytest.mark.parametrize(
    'count',
    [
        COUNTS,
        tuple(COUNTS),
        np.array(COUNTS, dtype=np.uint16),
        np.array(COUNTS, dtype=np.float32),
        torch.tensor(COUNTS),
    ],
)
def test_counts_of_any_kind(count):
    assert_array_equal(ClassStats(count).image_count, COUNTS)


def test_immutable(stats):
    with pytest.raises(AttributeError):
        stats.num_images = 3
    with pytest.raises(ValueError, match='read-only'):
        stats.image_count[0] = 3
    with pytest.raises(ValueError, match='read-only'):
        stats.instance_count[0] = 3


@pytest.mark.parametrize(
    'remake',
    [copy.copy, copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))],
)
def test_copies_are_equal_and_immutable(stats, remake):
    other = remake(stats)
    assert other == stats
    assert hash(other) == hash(stats)
    with pytest.raises(ValueError, match='read-only'):
        other.image_count[0] = 3


def test_does_not_share_the_array_it_was_given():
    count = np.array(COUNTS)
    stats = ClassStats(count)
    count[0] = 3
    assert stats.image_count[0] == 500


def test_equality(stats):
    assert stats == ClassStats(**stats.to_dict())
    assert stats != ClassStats(COUNTS, stats.instance_count, 601, NAMES)
    assert stats != ClassStats(COUNTS, None, 600, NAMES)
    assert stats != COUNTS


def test_json_round_trip(stats, tmp_path):
    path = tmp_path / 'new' / 'stats.json'
    for original in (stats, ClassStats(COUNTS, num_images=600)):
        original.to_json(path)
        assert ClassStats.from_json(path) == original
        assert ClassStats.from_json(str(path)) == original


@pytest.mark.parametrize(
    ('name', 'images', 'by_images', 'by_instances', 'spared'),
    [
        ('lvis_v1', 99388, [337, 461, 405], [200, 412, 334, 257], 815),
        ('lvis_v0.5', 56740, [454, 461, 315], [294, 453, 302, 181], 915),
    ],
)
def test_shipped_lvis(name, images, by_images, by_instances, spared):
    stats = ClassStats.from_json(name)
    # Those with an annotation: MMDetection trains on no others.
    assert stats.num_images == images
    assert stats.image_count.min() == 1
    # The numbers of rare, common and frequent categories.
    groups = stats.groups((11, 101))
    assert_array_equal(np.bincount(groups), by_images)
    # Those of the groups of BAGS.
    groups = stats.groups((10, 100, 1000), 'instance')
    assert_array_equal(np.bincount(groups), by_instances)
    # The classes that EQL spares; its lambda for v0.5 is 1.77e-3.
    share = 1.1e-3 if name == 'lvis_v1' else 1.77e-3
    assert (stats.image_count < share * images).sum() == spared


def test_from_any(stats, tmp_path):
    path = tmp_path / 'stats.json'
    stats.to_json(path)
    assert ClassStats.from_any(None) is None
    assert ClassStats.from_any(stats) is stats
    assert ClassStats.from_any(path) == stats
    assert ClassStats.from_any(str(path)) == stats
    assert ClassStats.from_any(stats.to_dict()) == stats
    single = ClassStats.single_label(COUNTS)
    for value in (COUNTS, tuple(COUNTS), np.array(COUNTS)):
        assert ClassStats.from_any(value) == single


def test_from_a_config():
    config = Config({'a': {'image_count': COUNTS, 'classes': NAMES}})
    expected = ClassStats.single_label(COUNTS, NAMES)
    assert ClassStats.from_any(config.a) == expected
    assert ClassStats.from_any(config.a.image_count) == (
        ClassStats.single_label(COUNTS)
    )


def test_dict_with_image_counts_and_images_has_no_instances():
    stats = ClassStats.from_any({'image_count': [5, 4], 'num_images': 7})
    assert stats.instance_count is None
    assert stats.num_images == 7


@pytest.mark.parametrize('value', [3, 1.5, object()])
def test_from_anything_else(value):
    with pytest.raises(TypeError, match='class_stats must be None, a path'):
        ClassStats.from_any(value)


def test_prior(stats):
    assert_allclose(stats.prior(), np.array(COUNTS) / 740)
    assert_allclose(stats.prior('instance')[0], 900 / 1220)
    assert stats.prior().dtype == np.float64


def test_smoothed_prior(stats):
    prior = stats.prior(smoothing=10)
    assert_allclose(prior, (np.array(COUNTS) + 10) / 800)
    assert_allclose(prior.sum(), 1)


@pytest.mark.parametrize('smoothing', [-1, float('nan'), float('inf')])
def test_bad_smoothing(stats, smoothing):
    with pytest.raises(ValueError, match=f'smoothing .* got {smoothing}'):
        stats.prior(smoothing=smoothing)


def test_groups_at_their_boundaries(stats):
    assert_array_equal(stats.groups((20, 101)), [2, 2, 1, 1, 0, 0])
    assert_array_equal(stats.groups((20, 101), 'instance'), [2, 2, 2, 1, 0, 0])
    assert_array_equal(stats.groups([19]), [1, 1, 1, 1, 1, 0])
    assert_array_equal(stats.groups([]), [0] * 6)
    assert stats.groups((20, 101)).dtype == np.int64


@pytest.mark.parametrize(
    ('name', 'groups'),
    [
        # OLTR's code: many n >= 100, few n <= 20
        ('oltr', [0, 0, 0, 1, 1, 2, 2, 2]),
        # classifier-balancing: many n > 100, few n < 20
        ('classifier_balancing', [0, 0, 1, 1, 1, 1, 2, 2]),
        # DB: head n >= 100, tail n < 20
        ('db_loss', [0, 0, 1, 1, 1, 2, 2, 2]),
    ],
)
def test_groups_of_the_papers_code(name, groups):
    stats = ClassStats.single_label([1, 19, 20, 21, 99, 100, 101, 900])
    assert stats.groups(name).tolist() == groups


@pytest.mark.parametrize(
    'thresholds',
    [(101, 20), (20, 20), (0, 20), (-5,), 20, ('a',), (np.nan,), 'OLTR', ''],
)
def test_bad_thresholds(stats, thresholds):
    with pytest.raises(ValueError, match='thresholds must be positive'):
        stats.groups(thresholds)


def test_effective_number(stats):
    beta = 0.9
    series = [sum(beta**j for j in range(n)) for n in COUNTS]
    assert_allclose(stats.effective_number(beta), series)
    assert_allclose(stats.effective_number(0), np.array(COUNTS) > 0)


@pytest.mark.parametrize('beta', [1, -0.1, float('nan')])
def test_bad_beta(stats, beta):
    with pytest.raises(ValueError, match=rf'beta .* got {beta}'):
        stats.effective_number(beta)


@pytest.mark.parametrize('beta', ['0.9', True, None, [0.9]])
def test_beta_is_a_number(stats, beta):
    with pytest.raises(TypeError, match='beta must be a number'):
        stats.effective_number(beta)


def test_imbalance_factor(stats):
    assert stats.imbalance_factor() == np.inf
    assert ClassStats([600, 6, 60]).imbalance_factor() == 100


@pytest.mark.parametrize('by', ['image', 'instance'])
def test_gini_is_the_mean_difference(stats, by):
    count = stats.count(by)
    differences = sum(abs(a - b) for a in count for b in count)
    expected = differences / (2 * len(count) ** 2 * count.mean())
    assert stats.gini(by) == pytest.approx(expected)


def test_gini_of_balanced_and_of_one_class():
    assert ClassStats([7, 7, 7]).gini() == pytest.approx(0)
    assert ClassStats([7, 0, 0, 0]).gini() == pytest.approx(0.75)


def test_difference(stats):
    content = stats.to_dict()
    assert stats.difference(ClassStats(**content)) is None
    other = ClassStats(**dict(content, image_count=[499, *COUNTS[1:]]))
    assert stats.difference(other) == (
        'image_count of 1 classes, first of class ant: 500 against 499'
    )
    other = ClassStats(**dict(content, num_images=601))
    assert stats.difference(other) == 'num_images 600 against 601'
    other = ClassStats(COUNTS[:3])
    assert stats.difference(other) == '6 classes against 3'
    unknown = ClassStats(COUNTS, None, 600)
    assert stats.difference(unknown) is None


def test_aligned_to_the_same_names_or_to_none(stats):
    assert stats.aligned_to(None) is stats
    assert stats.aligned_to(list(NAMES)) is stats
    unnamed = ClassStats(COUNTS)
    assert unnamed.aligned_to(NAMES) is unnamed


def test_aligned_to_another_order(stats):
    order = [3, 0, 5, 1, 4, 2]
    names = [NAMES[k] for k in order]
    assert stats.aligned_to(names) == ClassStats(
        stats.image_count[order], stats.instance_count[order], 600, names
    )
    assert stats.aligned_to(names).aligned_to(NAMES) == stats
    images = ClassStats(COUNTS, None, 600, NAMES).aligned_to(names)
    assert images.instance_count is None


@pytest.mark.parametrize(
    ('names', 'message'),
    [
        # What is new is said, not the first that moved.
        (
            ('bee', 'ant', 'kat', 'dog', 'eel', 'fly'),
            r"than val: class 2 is 'cat' against 'kat'; give class_stats",
        ),
        (('ant', 'ant', *NAMES[2:]), r"class 1 is 'bee' against 'ant'"),
        (NAMES[:5], r'val has 5 classes, .* hold 6; .*one count for each'),
    ],
)
def test_aligned_to_other_names(stats, names, message):
    with pytest.raises(ValueError, match=message):
        stats.aligned_to(names, 'val')


def test_names_that_stand_twice_have_no_order():
    names = ('crane', 'crane', 'bee')
    stats = ClassStats([3, 2, 1], classes=names)
    assert stats.aligned_to(names) is stats
    with pytest.raises(ValueError, match=r"class 1 is 'crane' against 'bee'"):
        stats.aligned_to(('crane', 'bee', 'crane'))


@pytest.mark.parametrize('by', ['images', None])
def test_bad_by(stats, by):
    with pytest.raises(ValueError, match="by must be 'image' or 'instance'"):
        stats.count(by)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([],), 'image_count must be a list of counts'),
        (([[1, 2]],), 'image_count must be a list of counts'),
        ((['a', 'b'],), 'image_count must be a list of counts'),
        (([None, 1],), 'image_count must be a list of counts'),
        (([True, False],), 'image_count must be a list of counts'),
        ((7,), 'image_count must be a list of counts, .* got 7'),
        (([1, -2],), r'image_count\[1\] is -2; counts must be whole'),
        (([1.5, 2],), r'image_count\[0\] is 1.5; counts must be whole'),
        (([1, float('nan')],), r'image_count\[1\] is nan'),
        (([1, float('inf')],), r'image_count\[1\] is inf'),
        (([0, 0],), 'image_count is zero for all 2 classes'),
        (([1, 2], [1]), 'instance_count has 1 entries and image_count 2'),
        (([1, 2], [1, -2]), r'instance_count\[1\] is -2'),
        (([1, 2], [1, 1]), 'instance_count of class 1 is 1, less than .* 2'),
        (([1, 9], None, 8), 'image_count of class 1 is 9, .* num_images=8'),
        (([1, 2], None, 3.5), 'num_images must be a whole number, got 3.5'),
        (([1, 2], None, '3'), "num_images must be a whole number, got '3'"),
        (([True, 2],), r'image_count must be a list of counts, .*\[True, 2\]'),
        (([3, 2], [3, True]), 'instance_count must be a list of counts'),
        (([1, 1e20],), r'image_count\[1\] is 1e\+20; counts must be whole'),
        (([1, 2**62],), r'image_count\[1\] is 4611686018427387904; counts'),
        (([[1], [1, 2]],), 'image_count must be a list of counts'),
        (([1, 10**20],), 'image_count must be a list of counts'),
        (([1], None, True), 'num_images must be a whole number, got True'),
        (([1], None, 10**20), 'num_images must be a whole number, .*2..53'),
        (([1, 2, 3], None, 6, 'abc'), "classes must be a list .* got 'abc'"),
        (([1], None, 1, {'ant': 0}), r"classes must be a list .* got {'ant"),
        (([1], None, 1, {'ant'}), r"classes must be a list .* got {'ant'}"),
        (([1], None, 1, 3), r'classes must be a list .* got 3'),
        (([1, 2], None, 3, ['ant']), 'classes has 1 names and image_count 2'),
    ],
)
def test_bad_counts(arguments, message):
    with pytest.raises(ValueError, match=message):
        ClassStats(*arguments)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'counts': [1]}, 'needs the key `image_count`'),
        ({'image_count': [1], 'n': 3}, r"unknown keys \['n'\]"),
    ],
)
def test_bad_dict(content, message):
    with pytest.raises(ValueError, match=message):
        ClassStats.from_any(content)


def test_missing_json(tmp_path):
    path = str(tmp_path / 'none.json')
    with pytest.raises(FileNotFoundError, match=r"none.json.*'lvis_v1'"):
        ClassStats.from_any(path)
    with pytest.raises(FileNotFoundError, match='class_stats: no file'):
        ClassStats.from_any(str(tmp_path))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'{"image_count": [1, 2', 'is no valid JSON'),
        (b'', 'is no valid JSON'),
        (b'\xff\xfe\x00', 'is no valid JSON'),
        (b'[1, 2]', 'does not hold class statistics: .*`image_count`'),
        (b'{"image_count": null}', 'does not hold class statistics: '),
        (b'{"image_count": [1, -2]}', r'image_count\[1\] is -2'),
        (b'{"image_count": [1, NaN]}', r'image_count\[1\] is nan'),
        (b'{"image_count": [1], "classes": 3}', 'does not hold class stat'),
        (b'{"image_count": [1, 2], "classes": "ab"}', "classes .* got 'ab'"),
        (b'{"image_count": [1, true]}', 'image_count must be a list of cou'),
        (b'{"image_count": [1, 1e20]}', r'image_count\[1\] is 1e\+20'),
        (b'{"image_count": [1], "image_count": [2]}', "'image_count' .*twice"),
    ],
)
def test_damaged_json(tmp_path, content, message):
    path = tmp_path / 'stats.json'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        ClassStats.from_any(path)
    assert 'stats.json' in str(caught.value)


def test_json_is_plain(stats, tmp_path):
    stats.to_json(tmp_path / 'stats.json')
    content = json.loads((tmp_path / 'stats.json').read_text())
    assert content == {
        'num_images': 600,
        'classes': list(NAMES),
        'image_count': COUNTS,
        'instance_count': [900, 101, 150, 50, 19, 0],
    }
